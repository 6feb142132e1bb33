"""The idempotent producer, and its replacement where it can no longer be trusted.

The client sends a batch again by itself for as long as the error may pass, under the same sequence
number, so that the brokers know a repeat. After an error that cannot pass, its numbers no longer
match the brokers': it is put aside, to finish what is on its way, and a new one takes its place.
"""

import asyncio
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from services.common import logging
from services.common.errors import UnavailableError
from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import MAX_LETTER_BYTES

REQUEST_SECONDS = 10.0
"""After so long without an answer a request is sent again, elsewhere if the leader has moved."""
PAUSE_SECONDS = 0.25
LEAVE_SECONDS = 3.0
"""How long a producer that ends may take for what is on its way."""

Flight = asyncio.Future[Any]
"""Tells the metadata of a batch; an error that cannot pass; or is cancelled, its fate unknown."""


class Producer:
    """A producer that mends itself; used by one event loop."""

    def __init__(self, settings: Settings, request_seconds: float = REQUEST_SECONDS) -> None:
        """Describe it; nothing runs yet."""
        self._options: dict[str, Any] = {
            **client_options(settings),
            "client_id": f"{settings.kafka_prefix}-ingest",
            "enable_idempotence": True,
            "acks": "all",
            # Never more than 0: a lingering batch holds up the one handed over after it as long.
            "linger_ms": 0,
            "max_batch_size": MAX_LETTER_BYTES,
            "max_request_size": MAX_LETTER_BYTES,
            "request_timeout_ms": int(request_seconds * 1000),
        }
        self._log = logging.get("ingest")
        self._now: _Connection | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.trouble = ""

    async def start(self) -> None:
        """Connect; where no broker answers, ``trouble`` says so until one does."""
        try:
            await self._connect()
        except UnavailableError as error:
            self.trouble = str(error)
            self._renewal = asyncio.create_task(self._renew())

    async def _connect(self) -> None:
        made = AIOKafkaProducer(**self._options)
        try:
            await made.start()
        except (KafkaError, OSError) as error:
            await made.stop()
            raise UnavailableError(f"Kafka does not answer: {error!r}") from error
        except asyncio.CancelledError:
            await made.stop()
            raise
        self._now, self.trouble = _Connection(made), ""

    async def send(self, topic: str, partition: int, values: list[bytes]) -> Flight:
        """Hand one batch over. Raises ``UnavailableError`` where that cannot be."""
        line = self._now
        if line is None:
            raise UnavailableError(self.trouble or "the producer is not connected")
        try:
            flight = await line.send(topic, partition, values)
        except KafkaError as error:
            self._distrust(line, error)
            raise UnavailableError(f"Kafka does not take a batch: {error!r}") from error
        flight.add_done_callback(partial(self._judge, line))
        return flight

    def leader(self, topic: str, partition: int) -> int | None:
        """Return the broker that a batch for a partition goes to; None where it is not known."""
        return self._now.leader(topic, partition) if self._now is not None else None

    def _judge(self, line: "_Connection", flight: Flight) -> None:
        error = None if flight.cancelled() else flight.exception()
        if error is not None:
            self._distrust(line, error)

    def _distrust(self, line: "_Connection", error: BaseException) -> None:
        if line is not self._now:
            return
        self.trouble = f"Kafka refused a batch: {error!r}"
        self._log.warning("producer replaced", error=repr(error))
        self._leave(line)
        self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        while self._now is None:
            try:
                await self._connect()
            except UnavailableError as error:
                self.trouble = str(error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def stop(self) -> None:
        """End: what is on its way is waited for, but not for ever."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])
        if self._now is not None:
            self._leave(self._now)
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _leave(self, line: "_Connection") -> None:
        self._now = None
        task = asyncio.create_task(line.end())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


class _Connection:
    """One client with its producer id, and the batches it has on their way."""

    def __init__(self, client: AIOKafkaProducer) -> None:
        self._client = client
        self._flights: set[Flight] = set()

    async def send(self, topic: str, partition: int, values: list[bytes]) -> Flight:
        batch = self._client.create_batch()
        for value in values:
            batch.append(key=None, value=value, timestamp=None)
        flight: Flight = await self._client.send_batch(batch, topic, partition=partition)
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)
        return flight

    def leader(self, topic: str, partition: int) -> int | None:
        cluster = self._client.client.cluster
        found: int | None = cluster.leader_for_partition(TopicPartition(topic, partition))
        return found

    async def end(self) -> None:
        """Stop the client; what is unanswered then is cancelled, so that nobody waits for it."""
        client = self._client
        stopping = asyncio.ensure_future(client.stop())
        _, late = await asyncio.wait([stopping], timeout=LEAVE_SECONDS)
        if late:
            # It flushes first, for as long as that takes. Without connections it cannot.
            await client.client.close()
            stopping.cancel()
            await asyncio.wait([stopping])
            await client._sender.close()  # noqa: SLF001 - its stop() gives no other way
        for flight in list(self._flights):
            flight.cancel()
