"""``SignalLog`` on the topic of signals: one reader a client, which belongs to no group."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.common.errors import OverloadedError, UnavailableError, invalid
from services.common.kafka import client_options
from services.common.ports import Told
from services.common.settings import Settings
from services.common.topics import topic_name

MARK = "k"
MOST = 200
"""Clients at a time; each reads the whole topic from where it stands."""
POLL_MS = 500
PATIENCE_SECONDS = 10.0
"""For brokers to say where a client's place is; then it is told to come again."""
_offsets = msgspec.msgpack.Decoder(list[int])


def place_text(offsets: list[int]) -> str:
    """Return the offset of each partition as one word."""
    return MARK + base64.urlsafe_b64encode(msgspec.msgpack.encode(offsets)).decode().rstrip("=")


def offsets_of(place: str, partitions: int) -> list[int]:
    """Read a place; raises ``InvalidError`` where no stream of so many partitions has given it."""
    try:
        raw = base64.urlsafe_b64decode(place.removeprefix(MARK) + "==")
        found = _offsets.decode(raw)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise invalid("Last-Event-ID", place, "is no id this stream has given") from error
    if len(found) != partitions or min(found) < 0:
        raise invalid("Last-Event-ID", place, f"is of {len(found)} partitions")
    return found


class TopicSignals:
    """Reads the topic for each client. ``close`` ends every stream."""

    mark = MARK

    def __init__(self, settings: Settings) -> None:
        """Read the signals of these settings' topics; nothing is connected yet."""
        topic = topic_name(settings, "signals")
        self._settings = settings
        self._partitions = [TopicPartition(topic, n) for n in range(settings.kafka_partitions)]
        self._readers = 0
        self._closed = False

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True

    def __len__(self) -> int:
        return self._readers

    async def follow(self, after: str, since_ms: int | None) -> AsyncGenerator[Told]:
        """Yield signals after a place, else from a time on, else from now on.

        The first one has no line: it tells the place. Raises ``InvalidError`` for a place that is
        older than what the topic keeps, ``UnavailableError`` where Kafka does not answer.
        """
        async with self._reader() as consumer:
            async with asyncio.timeout(PATIENCE_SECONDS):
                offsets = await self._start(consumer, after, since_ms)
            yield Told(place_text(offsets), b"")
            while not self._closed:
                found = await consumer.getmany(timeout_ms=POLL_MS)
                for where, records in found.items():
                    for record in records:
                        offsets[where.partition] = record.offset + 1
                        if record.value:
                            yield Told(place_text(offsets), record.value)

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        if self._readers >= MOST:
            raise OverloadedError(f"{self._readers} clients follow the signals already")
        consumer = AIOKafkaConsumer(
            **client_options(self._settings),
            isolation_level="read_committed",
            # Whom retention overtakes is cut off, and told when it comes again with its place.
            auto_offset_reset="none",
            enable_auto_commit=False,
        )
        self._readers += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await consumer.start()
            yield consumer
        except TimeoutError as error:
            raise UnavailableError(f"Kafka does not answer in {PATIENCE_SECONDS} s") from error
        except KafkaError as error:
            raise UnavailableError(f"Kafka does not answer: {error!r}") from error
        finally:
            self._readers -= 1
            await consumer.stop()

    async def _start(
        self, consumer: AIOKafkaConsumer, after: str, since_ms: int | None
    ) -> list[int]:
        first = await consumer.beginning_offsets(self._partitions)
        end = await consumer.end_offsets(self._partitions)
        if after:
            offsets = offsets_of(after, len(self._partitions))
            for one, at in zip(self._partitions, offsets, strict=True):
                _check(after, at, first[one], end[one])
        elif since_ms is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(self._partitions, since_ms))
            places = {one: at.offset for one, at in found.items() if at is not None}
            offsets = [places.get(one, end[one]) for one in self._partitions]
        else:
            offsets = [end[one] for one in self._partitions]
        consumer.assign(self._partitions)
        for one, at in zip(self._partitions, offsets, strict=True):
            consumer.seek(one, at)
        return offsets


def _check(place: str, at: int, first: int, end: int) -> None:
    """Refuse a place whose signals are gone, or that is of topics made before these."""
    again = "read /v1/signals?from=… up to now, then follow without it"
    if at < first:
        why = f"is older than what Kafka keeps (WAYMARK_KAFKA_KEEP_HOURS): {again}"
        raise invalid("Last-Event-ID", place, why)
    if at > end:
        raise invalid("Last-Event-ID", place, f"is of topics that are no more: {again}")
