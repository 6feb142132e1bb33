"""The loop that brings events, dead letters and rows into storage, each at least once.

One turn takes up to 100,000 rows, or what came since the last:

1. Read the log after the last loaded offset, the dead letters, and the outbox.
2. Insert table by table. A repeat of the same batch carries the same token.
3. Note in ``state.db`` how far storage has all; only then forget the dead letters and rows.

A crash between 2 and 3 inserts again what is there: ids and versions make that harmless. Storage
that does not answer stops the loop at 2, with the same batch, until it does.

A loop that is pressed makes fewer and larger inserts: see ``services.loader.pace``.
"""

import secrets
import time
from collections.abc import Sequence

from msgspec import Struct, field

from services.common.errors import RetryableError
from services.common.metrics import Metrics
from services.common.ports import Sink
from services.loader.event_columns import EventRows
from services.loader.isolate import insert_isolated
from services.loader.pace import BATCH_ROWS, Pace
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates

READ_BYTES = 16 << 20
RETRY_SECONDS = 0.5
NOTE_SECONDS = 5.0
"""A place that moved over ticks alone may wait to be noted: ticks are passed over again."""


class Batch(Struct):
    """What one turn inserts, and the places that hold once storage has it.

    ``rows_at``: each of the fold's rows that was there by then (monotonic seconds) is in it or in
    one before.
    """

    offset: int
    letters_to: int
    rows_to: int
    rows_at: float
    tables: dict[str, Sequence[bytes]]
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def rows(self) -> int:
        """Return how many rows it holds."""
        return sum(map(len, self.tables.values()))


class Loader:
    """Moves batches into a sink. ``trouble`` says why the newest could not be inserted."""

    def __init__(self, log: SqliteLog, states: SqliteStates, sink: Sink, metrics: Metrics) -> None:
        """Go on after the place noted in the states."""
        self._log = log
        self._states = states
        self._sink = sink
        self._metrics = metrics
        self._batch: Batch | None = None
        self._noted_at = time.monotonic()
        self._letters_to = 0
        self._dropped_to = 0
        self._rows_to = 0
        self._rows_at = time.monotonic()
        self._pace = Pace()
        self.loaded_to = states.loaded()
        self.trouble = ""

    def paced_turn(self) -> float:
        """Insert one batch, the fold's rows only when theirs is due; return the seconds to rest."""
        began = time.monotonic()
        rows_to = self._rows_to
        inserted = self.turn(rows=self._pace.rows_due(began))
        if self.trouble:
            return RETRY_SECONDS
        brought = self._rows_to != rows_to
        return self._pace.rest(began, time.monotonic(), inserted, rows=brought)

    def turn(self, *, rows: bool = True) -> int:
        """Insert one batch, with or without the fold's rows; return how many rows it had."""
        batch = self._batch or self._gather(rows)
        self._batch = batch
        try:
            self._insert(batch)
            self._note(batch)
        except RetryableError as error:
            self.trouble = str(error)
            return 0
        self._batch, self.trouble = None, ""
        return batch.rows()

    def rows_age_ms(self) -> int:
        """Return for how long a row of the fold that storage lacks can have waited at most."""
        return int((time.monotonic() - self._rows_at) * 1_000)

    def _gather(self, rows: bool) -> Batch:  # noqa: FBT001 - a switch
        batch = Batch(self.loaded_to, self._letters_to, self._rows_to, self._rows_at, {})
        self._gather_events(batch)
        lists: dict[str, list[bytes]] = {}
        for seq, body in self._log.read_dead_letters(batch.letters_to, BATCH_ROWS):
            lists.setdefault("dead_letters", []).append(body)
            batch.letters_to = seq
        if rows:
            self._gather_rows(batch, lists)
        batch.tables.update(lists)
        return batch

    def _gather_rows(self, batch: Batch, lists: dict[str, list[bytes]]) -> None:
        began, lines = time.monotonic(), 0
        for bundle in self._states.rows(batch.rows_to, BATCH_ROWS):
            lists.setdefault(bundle.table, []).extend(bundle.body.split(b"\n"))
            batch.rows_to = bundle.seq
            lines += bundle.lines
        if lines < BATCH_ROWS:
            batch.rows_at = began

    def _gather_events(self, batch: Batch) -> None:
        events = EventRows()
        for record in self._log.read(batch.offset, READ_BYTES):
            events.add(record)
            batch.offset = record.offset
            if len(events) >= BATCH_ROWS:
                break
        if events:
            batch.tables["events"] = events

    def _insert(self, batch: Batch) -> None:
        for table in list(batch.tables):
            lines = batch.tables[table]
            started = time.perf_counter()
            insert_isolated(self._sink, table, lines, f"{batch.token}-{table}")
            self._metrics.observe("waymark_loader_insert_seconds", time.perf_counter() - started)
            self._metrics.count("waymark_loader_rows_total", len(lines), table=table)

    def _note(self, batch: Batch) -> None:
        self._rows_at = batch.rows_at
        if not batch.tables and time.monotonic() - self._noted_at < NOTE_SECONDS:
            self.loaded_to = batch.offset
            return
        self._states.arrived(batch.rows_to, batch.offset)
        dropped = batch.letters_to
        if dropped > self._dropped_to and self._log.drop_dead_letters(dropped):
            self._dropped_to = dropped
        self._noted_at = time.monotonic()
        self.loaded_to, self._rows_to = batch.offset, batch.rows_to
        self._letters_to = batch.letters_to
