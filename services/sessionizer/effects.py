"""The effects of one owned partition, each group of records in one Kafka transaction.

The producer's ``transactional.id`` is made of prefix, group and partition: starting it fences a
former owner (a process that was stopped and continued can write no more) and aborts what that left
open; it leaves alone an installation with another prefix in the same cluster.
One transaction holds changed states, outputs, forwards and the partition's meta; readers of any of
them are read_committed and so see all of it or nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from services.common.errors import FatalError
from services.common.kafka import client_options, worker_group
from services.common.partitions import key_of, partition_of
from services.common.ports import Changes, Outgoing
from services.common.settings import Settings
from services.common.topics import MAX_RECORD_BYTES, TOPIC_OF_TABLE, topic_name

META_KEY = b"__meta"
"""The key of a partition's meta in its changelog; a state's key has 0x1F in it."""
POISON_KEY = b"__poison"
"""The key of what is counted of poison, where there was any."""
BATCH_BYTES = MAX_RECORD_BYTES * 7 // 8
"""Less than a topic takes, by more than what a batch adds to its records."""
FORWARD_BYTES = 256 * 1024
"""Forwards to one partition share records of about this size."""

Record = tuple[bytes | None, bytes | None]
"""Key and value."""
Target = tuple[str, int]
"""Topic and partition."""


class Effects:
    """The writing end of one owned partition."""

    def __init__(self, settings: Settings, number: int) -> None:
        """Make a producer for this partition; nothing is sent before ``start``."""
        self._settings = settings
        self._number = number
        self._states: Target = (topic_name(settings, "states"), number)
        self._rows = {
            table: (topic_name(settings, topic), number) for table, topic in TOPIC_OF_TABLE.items()
        }
        self._events = topic_name(settings, "events")
        patience_ms = settings.kafka_patience_seconds * 1_000
        self._producer = AIOKafkaProducer(
            **client_options(settings),
            transactional_id=f"{worker_group(settings)}-{number}",
            # With a linger, a second batch for a partition would wait that long for its turn.
            linger_ms=0,
            request_timeout_ms=patience_ms,
            # It begins on the brokers after it does here: ``write`` always gives up first.
            transaction_timeout_ms=patience_ms,
            max_batch_size=BATCH_BYTES,
        )

    async def start(self) -> None:
        """Fence the former owner and abort what it left open."""
        await self._producer.start()

    async def stop(self) -> None:
        """Close; what is not committed is aborted by the next owner, or by its timeout."""
        await self._producer.stop()

    async def write(
        self, changes: Changes, beside: Mapping[bytes, bytes | None] | None = None
    ) -> None:
        """Store the changes in one transaction; any error leaves it open and is fatal.

        ``beside`` are entries of the changelog that are no states. Raises ``FatalError`` where the
        brokers have not taken it within the patience of the settings: the client itself would try
        for ever, since a transaction's batches do not expire.
        """
        seconds = self._settings.kafka_patience_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._transact(changes, beside or {})
        except TimeoutError as error:
            raise FatalError(
                f"Kafka has not taken what partition {self._number} stores within {seconds} s "
                "(WAYMARK_KAFKA_PATIENCE_SECONDS)"
            ) from error

    async def _transact(self, changes: Changes, beside: Mapping[bytes, bytes | None]) -> None:
        await self._producer.begin_transaction()
        targets = self._targets(changes)
        targets[self._states] += beside.items()
        sending = [
            self._send(target, records, changes.meta.clock_ms)
            for target, records in targets.items()
        ]
        await asyncio.gather(*sending)
        await self._producer.commit_transaction()

    def _targets(self, changes: Changes) -> dict[Target, list[Record]]:
        found: dict[Target, list[Record]] = {}
        for table, lines in changes.rows.items():
            found[self._rows[table]] = [(None, line) for line in lines]
        for number, bodies in _forwards(changes.forwards, self._settings.kafka_partitions):
            found[self._events, number] = [(None, body) for body in bodies]
        meta = (META_KEY, msgspec.msgpack.encode(changes.meta))
        found[self._states] = [*changes.states.items(), meta]
        return found

    async def _send(self, target: Target, records: list[Record], at_ms: int) -> None:
        """Send records in order, in as few batches as they fit into."""
        topic, number = target
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=at_ms) is None:
                await self._deliver(batch, topic, number)
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=at_ms)
        await self._deliver(batch, topic, number)

    async def _deliver(self, batch: Any, topic: str, number: int) -> None:
        await (await self._producer.send_batch(batch, topic, partition=number))


def _forwards(forwards: Iterable[Outgoing], partitions: int) -> Iterable[tuple[int, list[bytes]]]:
    """Yield for each partition the records that carry its forwards, many lines to a record."""
    lines: dict[int, list[bytes]] = defaultdict(list)
    for one in forwards:
        lines[partition_of(key_of(one.source, one.address), partitions)].append(one.line)
    for number, some in lines.items():
        yield number, _packed(some)


def _packed(lines: list[bytes]) -> list[bytes]:
    bodies: list[bytes] = []
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > FORWARD_BYTES:
            bodies.append(b"\n".join(part))
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    return [*bodies, b"\n".join(part)]
