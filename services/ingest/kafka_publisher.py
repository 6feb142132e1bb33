"""The log's writing end on Kafka: the ``Publisher`` and ``DeadLetters`` ports.

Rules of this file:

- Whoever is told "durable" is told so after every in-sync copy has it (acks=all, idempotent).
- Requests gather for ``GATHER_SECONDS`` at least and go as one record a partition; a partition has
  one batch on its way at most (``lanes``).
- While a request to a broker is on its way, the other partitions that it leads gather too. The
  client sends a broker one request at a time: a batch handed over meanwhile would wait there, and
  what comes after it for two answers more. A broker slower than ``HOLD_SECONDS`` is not waited for.
- Nobody waits longer than ``PATIENCE_SECONDS``. A partition whose batch is unanswered for
  ``STUCK_SECONDS`` refuses at once; the batch on its way is the probe that opens it again.
- Where nothing has been answered that long, every partition refuses, also those not tried since: a
  broker that is gone is found out once, not once a partition. The next answer ends it.
- Every byte that waits or is on its way counts; what does not fit is refused.
- A tick goes to each partition that was quiet for a second, only while ``accepting``: no ingest,
  no time.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from schemas.event import TICK
from schemas.rows import DeadLetter
from services.common.errors import OverloadedError, RetryableError, UnavailableError
from services.common.metrics import Metrics
from services.common.partitions import key_of, partition_of
from services.common.ports import RECORD_BYTES, Outgoing
from services.common.settings import Settings
from services.common.topics import topic_name
from services.ingest.kafka_producer import REQUEST_SECONDS, Producer
from services.ingest.lanes import Lane, Request, Share, one_record, record_a_line

TICK_SECONDS = 1.0
GATHER_SECONDS = 0.005
HOLD_SECONDS = 0.1
PATIENCE_SECONDS = 1.2
STUCK_SECONDS = 0.8
BEHIND_SECONDS = 0.4
"""A lane whose oldest request waits longer takes no more: those it has are answered in time."""
SWEEP_SECONDS = 0.1
FLUSH_BYTES = 16 * 1024 * 1024
"""So much goes at once at most; a broker reads a request whole before it answers."""


class KafkaPublisher:
    """``Publisher`` and ``DeadLetters`` over one producer; used by one event loop."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics | None = None,
        *,
        tick_seconds: float = TICK_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Describe it; ``start`` connects."""
        self.settings = settings
        self._partitions = settings.kafka_partitions
        self._limit = settings.in_flight_bytes
        self._metrics = metrics
        self._tick_seconds = tick_seconds
        self._hold_seconds = hold_seconds
        self._patience_seconds = patience_seconds
        self._producer = Producer(settings, request_seconds)
        events, letters = topic_name(settings, "events"), topic_name(settings, "dead-letters")
        every = range(self._partitions)
        self._events = [Lane(events, n, one_record) for n in every]
        self._letters = [Lane(letters, n, record_a_line) for n in every]
        self._ready: dict[Lane, None] = {}
        self._flying: set[Lane] = set()
        self._wake = asyncio.Event()
        self._accepting = False
        self._tasks: list[asyncio.Task[None]] = []
        self.bytes = 0
        self.stuck = 0
        self.append_ms = 0
        self._answered_at = 0.0
        self._silent = False

    # -- life

    async def start(self) -> None:
        """Begin; where no broker answers yet, everything is refused until one does."""
        await self._producer.start()
        if self._metrics is not None:
            self._metrics.follow("waymark_log_waiting_bytes", lambda: self.bytes)
            self._metrics.follow("waymark_log_stuck_partitions", lambda: self.stuck)
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._watch())]

    def accept(self, accepting: bool) -> None:  # noqa: FBT001 - a switch
        """Say whether ingest takes events: only then does time pass on a quiet partition."""
        self._accepting = accepting

    async def stop(self) -> None:
        """Write what waits, as long as anyone waits for it, then end."""
        self._accepting = False
        waits = {
            share.request.future
            for lane in self._lanes()
            for share in (*lane.waiting, *lane.flying)
            if share.request is not None
        }
        if waits:
            await asyncio.wait(waits)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._producer.stop()
        for lane in self._lanes():
            self.bytes -= lane.give_up(float("inf"), self._too_late)

    @property
    def shut(self) -> str:
        """Say why nothing at all can be written now; "" where something can."""
        if self._silent and not self._producer.trouble:
            return f"Kafka has not answered for {STUCK_SECONDS} s or more"
        return self._producer.trouble

    @property
    def trouble(self) -> str:
        """Say why nothing can be written now; "" when all is well."""
        if self.shut or not self.stuck:
            return self.shut
        return f"{self.stuck} partitions have not answered for {STUCK_SECONDS} s or more"

    # -- the ports

    async def publish(self, items: Sequence[Outgoing]) -> int:
        """Make the items durable, in order a partition, and return the greatest append time.

        Raises ``UnavailableError`` within two seconds where the brokers do not take them, and
        ``OverloadedError`` where too many bytes wait. An item may be in the log all the same.
        """
        lines: dict[Lane, list[bytes]] = {}
        for item in items:
            key = key_of(item.source, item.address)
            lane = self._events[partition_of(key, self._partitions)]
            lines.setdefault(lane, []).append(item.line)
        return await self._enqueue(lines)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Make refused items durable, one a record; storage knows a repeat by its id."""
        lines: dict[Lane, list[bytes]] = {}
        for letter in letters:
            number = partition_of(key_of(letter.source, letter.id), self._partitions)
            lines.setdefault(self._letters[number], []).append(msgspec.json.encode(letter))
        await self._enqueue(lines)

    def _enqueue(self, lines: dict[Lane, list[bytes]]) -> asyncio.Future[int]:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._check(lines, now)
        request = Request(loop.create_future(), len(lines), now)
        shares = [(lane, Share(some, request)) for lane, some in lines.items()]
        size = sum([share.size for _, share in shares])
        if self.bytes + size > self._limit:
            raise OverloadedError(f"{self.bytes} bytes wait for Kafka, at most {self._limit} may")
        self.bytes += size
        for lane, share in shares:
            lane.waiting.append(share)
            self._is_ready(lane)
        if not shares:
            request.future.set_result(self.append_ms)
        return request.future

    def _check(self, lanes: Iterable[Lane], now: float) -> None:
        if self._silent or self._producer.trouble:
            raise UnavailableError(self.shut)
        for lane in lanes:
            if lane.away_for(now) > STUCK_SECONDS:
                raise UnavailableError(f"{lane.topic}-{lane.partition} does not answer")
            if lane.waits_for(now) > BEHIND_SECONDS:
                raise OverloadedError(f"{lane.topic}-{lane.partition} is behind")

    # -- gathering and sending

    def _is_ready(self, lane: Lane) -> None:
        if lane.waiting and not lane.flying:
            self._ready[lane] = None
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()
            await asyncio.sleep(GATHER_SECONDS)

    async def _flush(self) -> None:
        now, sent = asyncio.get_running_loop().time(), 0
        busy = {lane.leader for lane in self._flying if lane.away_for(now) < self._hold_seconds}
        for lane in list(self._ready):
            if sent >= FLUSH_BYTES:
                self._wake.set()
                break
            lane.leader = self._producer.leader(lane.topic, lane.partition)
            if lane.leader not in busy:
                del self._ready[lane]
                sent += await self._send(lane, now)

    async def _send(self, lane: Lane, now: float) -> int:
        """Send what waits for a lane as one batch; return its bytes."""
        shares = lane.take(RECORD_BYTES, now)
        if not shares:
            return 0
        self._flying.add(lane)
        try:
            flight = await self._producer.send(lane.topic, lane.partition, lane.build(shares))
        except UnavailableError as error:
            self._lost(lane, error)
        else:
            flight.add_done_callback(partial(self._landed, lane))
        return sum([share.size for share in shares])

    def _landed(self, lane: Lane, flight: asyncio.Future[Any]) -> None:
        error = None if flight.cancelled() else flight.exception()
        if error is not None or flight.cancelled():
            self._lost(lane, UnavailableError(f"Kafka did not take a batch: {error!r}"))
            return
        now = self._answered_at = asyncio.get_running_loop().time()
        self._silent = False
        append_ms = flight.result().timestamp
        self.append_ms = max(self.append_ms, append_ms)
        if self._metrics is not None:
            self._metrics.observe("waymark_log_append_seconds", now - lane.sent_at)
        for share in self._land(lane, now):
            if share.request is not None:
                share.request.landed(append_ms)

    def _lost(self, lane: Lane, error: RetryableError) -> None:
        for share in self._land(lane, asyncio.get_running_loop().time()):
            if share.request is not None:
                share.request.fail(UnavailableError(str(error)))

    def _land(self, lane: Lane, now: float) -> list[Share]:
        """Return what was on its way; the next of this lane, and those that it held, may go."""
        landed = lane.land(now)
        self._flying.discard(lane)
        self.bytes -= sum([share.size for share in landed])
        self._is_ready(lane)
        if self._ready:
            self._wake.set()
        return landed

    # -- time

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = loop.time()
            for lane in self._lanes():
                self.bytes -= lane.give_up(now - self._patience_seconds, self._too_late)
            stuck = [lane for lane in self._lanes() if lane.away_for(now) > STUCK_SECONDS]
            self.stuck = len(stuck)
            # One sent before the last answer may have a leader that is gone while others are here.
            self._silent = any(lane.sent_at > self._answered_at for lane in stuck)
            if self._accepting and not self._producer.trouble:
                self._tick(now)
            if self._ready:  # held by a broker that is slow
                self._wake.set()

    def _tick(self, now: float) -> None:
        for lane in self._events:
            if lane.quiet(now, self._tick_seconds):
                share = Share([TICK], None)
                self.bytes += share.size
                lane.waiting.append(share)
                self._is_ready(lane)

    def _lanes(self) -> Iterable[Lane]:
        yield from self._events
        yield from self._letters

    def _too_late(self) -> RetryableError:
        return UnavailableError(f"Kafka did not acknowledge within {self._patience_seconds} s")
