"""The loop that brings topics into tables: nothing lost, and nothing that a repeat would double.

For one batch after the other, of up to 100,000 rows or what 250 ms brought:

1. Take records of the topics, in order within each partition.
2. Insert table by table. The token names the stretches of the log that the batch holds, so that a
   repeat within the server's memory of tokens leaves no trace.
3. Commit the offsets.

A crash between 2 and 3 brings the same rows again, in other batches: ids and versions make that
harmless. Storage that does not answer stops the loop at 2, with the same batch, until it does.
While one batch is inserted, the next is gathered; so two are in memory at most.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from msgspec import Struct

from services.common.errors import RetryableError
from services.common.metrics import Metrics
from services.common.ports import Sink
from services.loader.batch import Batch
from services.loader.isolate import insert_isolated
from services.loader.pace import BATCH_ROWS, BATCH_SECONDS
from services.loader.topics import EVENTS, log_record, row_of

BATCH_BYTES = 64 << 20
TAKE_RECORDS = 2_000
STEP_ROWS = 2_000
"""Rows made between two looks at the event loop: heartbeats must not wait for them."""
RETRY_SECONDS = 0.5
SILENT_SECONDS = 10.0
"""An insert that takes longer is told, before it is given up."""
HANDOVER_SECONDS = 5.0
"""How long partitions that move away wait for the insert under way to be committed."""


class Place(Struct, frozen=True):
    """A batch under way, and the assignment under which it was taken."""

    batch: Batch
    term: int


class TopicLoader(ConsumerRebalanceListener):  # type: ignore[misc]  # an untyped package
    """Moves records into a sink.

    ``clock_ms`` is the log's clock as far as this loader has read it, 0 before it has read any;
    ``loaded`` counts the records it has brought into storage.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        tables: dict[str, str],
        sink: Callable[[], Sink],
        metrics: Metrics,
    ) -> None:
        """Read these topics with a consumer that commits nothing by itself and is not started.

        ``sink`` opens storage, and raises ``RetryableError`` while it does not answer.
        """
        self._consumer = consumer
        self._tables = tables
        self._open = sink
        self._sink: Sink | None = None
        self._metrics = metrics
        self._left: deque[tuple[TopicPartition, ConsumerRecord]] = deque()
        self._term = 0
        self._unplaced: set[TopicPartition] = set()
        self._stored: dict[TopicPartition, int] = {}
        self._inserting: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._failed = ""
        self._inserts_since: float | None = None
        self.clock_ms = 0
        self.loaded = 0
        self.turned_at = time.monotonic()

    async def run(self) -> None:
        """Load until told to stop; then what is being inserted is committed still."""
        self._consumer.subscribe(list(self._tables), listener=self)
        await self._consumer.start()
        try:
            while not self._stopping.is_set():
                self.turned_at = time.monotonic()
                place = await self._gather()
                await self._settled()
                if place.batch.ranges:
                    self._inserting = asyncio.create_task(self._store(place))
            await self._settled()
        finally:
            await self._give_up()
            await self._consumer.stop()

    def stop(self) -> None:
        """Ask for the end, from the loop's thread."""
        self._stopping.set()

    @property
    def trouble(self) -> str:
        """Say why the newest batch is not inserted: what went wrong, or that storage is silent."""
        since = self._inserts_since
        if since is not None and time.monotonic() - since > SILENT_SECONDS:
            return f"storage has not answered for {time.monotonic() - since:.0f} s"
        return self._failed

    def owns(self, partition: int) -> bool:
        """Tell whether this loader reads a partition of the events now."""
        topic = next(topic for topic, table in self._tables.items() if table == EVENTS)
        return TopicPartition(topic, partition) in self._consumer.assignment()

    def lag(self) -> int | None:
        """Return how many records are not in storage yet, None where none is assigned."""
        owned = self._consumer.assignment()
        if not owned:
            return None
        return sum(
            max(0, (self._consumer.highwater(one) or 0) - self._stored.get(one, 0))
            for one in owned
            if one in self._stored
        )

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the insert under way be committed, so that the next owner need not repeat it."""
        del revoked
        if self._inserting:
            await asyncio.wait({self._inserting}, timeout=HANDOVER_SECONDS)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin a new term: reading goes on at what was committed, what was taken is void."""
        self._term += 1
        self._left.clear()
        self._stored = {}
        self._unplaced = set(assigned)

    async def _gather(self) -> Place:
        """Take what a batch holds; a batch that a new term has overtaken is begun anew."""
        until = time.monotonic() + BATCH_SECONDS
        place = Place(Batch(), self._term)
        while not self._stopping.is_set():
            await self._take(place.batch)
            if place.term != self._term:
                place = Place(Batch(), self._term)
            left = until - time.monotonic()
            if left <= 0 or _full(place.batch):
                break
            await self._read(place.term, left)
        await self._pass_markers(place)
        return place if place.term == self._term else Place(Batch(), self._term)

    async def _read(self, term: int, seconds: float) -> None:
        """Read on for so long at most; what a term that has ended gave is void."""
        await self._place()
        found = await self._consumer.getmany(
            timeout_ms=max(1, int(seconds * 1000)), max_records=TAKE_RECORDS
        )
        if term == self._term:
            self._left.extend((where, one) for where, some in found.items() for one in some)

    async def _place(self) -> None:
        """Begin a term where the group's commits say.

        Whoever was reading as the term began has moved on within it, and what it got is void. The
        consumer asks for one place at a time; asked at once, the questions share one round trip.
        (An admin client asks for all in one, over a connection of its own and without the
        consumer's patience while the group's coordinator moves, which it may at just this time.)
        """
        placing, self._unplaced = self._unplaced, set()
        places = await asyncio.gather(*map(self._consumer.committed, placing))
        if self._unplaced:
            return  # a newer term has begun meanwhile
        with contextlib.suppress(IllegalStateError):  # taken away just now: a new term follows
            for where, place in zip(placing, places, strict=True):
                if place is None:
                    await self._consumer.seek_to_beginning(where)
                else:
                    self._consumer.seek(where, place)

    async def _pass_markers(self, place: Place) -> None:
        """Move places over the ends of transactions, which are offsets but no records."""
        if self._left:
            return
        with contextlib.suppress(IllegalStateError):  # taken away just now: the batch is void
            for where in list(place.batch.places):
                place.batch.places[where] = await self._consumer.position(where)

    async def _take(self, batch: Batch) -> None:
        """Make rows of what was read; stays off the event loop's back every few thousand."""
        step = batch.rows + STEP_ROWS
        while self._left and not _full(batch):
            where, record = self._left.popleft()
            table = self._tables[record.topic]
            self._stored.setdefault(where, record.offset)
            if table == EVENTS:
                batch.add_events(where, log_record(record))
                self.clock_ms = max(self.clock_ms, record.timestamp)
            else:
                batch.add(where, record.offset, table, row_of(record))
            if batch.rows >= step:
                await asyncio.sleep(0)
                step = batch.rows + STEP_ROWS

    async def _settled(self) -> None:
        """Wait until the batch before is stored; whatever it raised is raised here."""
        if self._inserting:
            await self._inserting
            self._inserting = None

    async def _store(self, place: Place) -> None:
        """Insert a batch and commit it, however long storage or Kafka stay away."""
        while True:
            try:
                self._inserts_since = time.monotonic()
                await asyncio.to_thread(self._insert, place.batch)
                self._inserts_since = None
                await self._commit(place)
            except (RetryableError, KafkaError) as error:
                self._failed = f"{type(error).__name__}: {error}"
                self._inserts_since = None
                if self._stopping.is_set():
                    return
                await asyncio.sleep(RETRY_SECONDS)
                self.turned_at = time.monotonic()
            else:
                self._failed = ""
                return

    def _insert(self, batch: Batch) -> None:
        """Insert what is not inserted yet; runs in a thread."""
        token = batch.token
        sink = self._sink = self._sink or self._open()
        for table, lines in list(batch.tables.items()):
            started = time.perf_counter()
            insert_isolated(sink, table, lines, f"{token}-{table}")
            self._metrics.observe("waymark_loader_insert_seconds", time.perf_counter() - started)
            self._metrics.count("waymark_loader_rows_total", len(lines), table=table)
            del batch.tables[table]

    async def _commit(self, place: Place) -> None:
        if place.term != self._term:
            return
        try:
            await self._consumer.commit(place.batch.places)
        except (CommitFailedError, IllegalStateError):
            return  # the partitions have moved: their next owner reads again from the last commit
        self._stored.update(place.batch.places)
        self.loaded += place.batch.records

    async def _give_up(self) -> None:
        if self._inserting:
            self._inserting.cancel()
            await asyncio.gather(self._inserting, return_exceptions=True)


def _full(batch: Batch) -> bool:
    return batch.rows >= BATCH_ROWS or batch.size >= BATCH_BYTES
