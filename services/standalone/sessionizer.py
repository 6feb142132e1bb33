"""The loop that turns the log into states, rows and signals; the only one that moves the fold.

One turn, in this order (the position moves after its effects, always):

1. Answer questions to the fold (live view) that came from other threads.
2. Read records after the last one read, and apply them one by one, answering between them; a
   record at whose time very much is due counts for as many as it takes slices.
3. When 25 records or 100 ms are together: take the changes, store them in one transaction with
   the meta that says how far they go, and only then let the fold go on from them.
4. Show the signals that were stored to those who follow.

A crash anywhere before the end of 3 leaves the store as it was, and the same records are read
again. A full disk stops 2 and 3, not 1: the changes taken are kept, and stored when there is room.
"""

import base64
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from schemas.ids import signal_id
from schemas.rows import DeadLetter
from services.common.errors import UnavailableError
from services.common.metrics import Metrics
from services.common.ports import META_SECONDS, Changes, LogReader, LogRecord
from services.sessionizer.core.schedule import SLICE
from services.sessionizer.tally import FoldTally
from services.standalone.fold import Fold, Unreadable
from services.standalone.state_store import SqliteStates

GROUP_RECORDS = 25
GROUP_SECONDS = 0.1
READ_BYTES = 1 << 20
RETRY_SECONDS = 0.5
IDLE_SECONDS = 1.0

T = TypeVar("T")


class Sessionizer:
    """Feeds a fold from the log and stores what comes of it.

    ``trouble`` says why the newest changes could not be stored, empty when all is well.
    """

    def __init__(
        self,
        fold: Fold,
        log: LogReader,
        states: SqliteStates,
        *,
        on_signals: Callable[[Sequence[bytes]], None],
        on_commit: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        """Go on after the fold's applied record."""
        self._fold = fold
        self._log = log
        self._states = states
        self._on_signals = on_signals
        self._on_commit = on_commit
        self._metrics = metrics
        self._counted = FoldTally(metrics, fold.tally)
        self._calls: deque[tuple[Callable[[Fold], Any], Future[Any]]] = deque()
        self._records: deque[LogRecord] = deque()
        self._bad: list[bytes] = []
        self._group = 0
        self._group_at = 0.0
        self._unsaved: Changes | None = None
        self._saved_at = 0.0
        self._begun = self.read_to = fold.applied
        self.watching: list[set[bytes]] = []
        """Each is told the keys of all states stored from now on; in the fold's own thread."""
        self.trouble = ""

    def call(self, work: Callable[[Fold], T]) -> Future[T]:
        """Have the fold asked in its own thread, between two records."""
        done: Future[T] = Future()
        self._calls.append((work, done))
        return done

    def turn(self) -> float:
        """Do what there is to do for one group; return the seconds until there may be more."""
        self.answer()
        if self._unsaved is not None and not self._save(self._unsaved):
            return RETRY_SECONDS
        more = self._apply_group()
        due = self._group_at + GROUP_SECONDS - time.monotonic()
        if self._group and (self._group >= GROUP_RECORDS or due <= 0):
            saved = self._commit()
            return (0.0 if more else IDLE_SECONDS) if saved else RETRY_SECONDS
        if self._calls or more:
            return 0.0
        return due if self._group else IDLE_SECONDS

    def flush(self) -> bool:
        """Store what is applied, now; return whether that could be done."""
        if self._unsaved is not None and not self._save(self._unsaved):
            return False
        return self._commit()

    @contextmanager
    def watched(self) -> Iterator[set[bytes]]:
        """Give a set that takes the keys of all states stored during the block."""
        moved: set[bytes] = set()
        self.watching.append(moved)
        try:
            yield moved
        finally:
            # By identity: sets that are equal are not the same watch.
            self.watching[:] = [one for one in self.watching if one is not moved]

    def read_again(self) -> None:
        """Read anew what was read and not applied: the log was changed; only while held."""
        self._records.clear()

    def _apply_group(self) -> bool:
        """Apply records until the group is full; return whether there may be more to read."""
        if not (self._records or self._fold.more_due):
            self._records.extend(self._log.read(self.read_to, READ_BYTES))
        started = time.monotonic()
        while (self._records or self._fold.more_due) and self._group < GROUP_RECORDS:
            self._step()
            self.answer()
            if time.monotonic() - started > GROUP_SECONDS:
                break
        return bool(self._records) or self._fold.more_due or self._group >= GROUP_RECORDS

    def _step(self) -> None:
        """Do more of what is due, else apply the next record; it is read once all of it is done."""
        if not self._group:
            self._group_at = time.monotonic()
        if self._fold.more_due:
            self._fold.fire(SLICE)
        else:
            self._apply(self._records.popleft())
        if not self._fold.more_due:
            self.read_to = self._begun
        self._group += 1

    def _apply(self, record: LogRecord) -> None:
        for unreadable in self._fold.apply(record, SLICE):
            self._bad.append(_dead_letter(unreadable, record.append_ms))
            self._metrics.count("waymark_sessionizer_poison_total")
        self._begun = record.offset

    def _commit(self) -> bool:
        changes = self._fold.take()
        if self._bad:
            rows = changes.rows | {"dead_letters": self._bad}
            changes = msgspec.structs.replace(changes, rows=rows)
        self._bad, self._group = [], 0
        if not (changes.states or changes.rows or changes.forwards) and not self._meta_due():
            self._fold.committed()
            return True
        return self._save(changes)

    def _save(self, changes: Changes) -> bool:
        try:
            self._states.commit(changes)
        except UnavailableError as error:
            self._unsaved, self.trouble = changes, str(error)
            return False
        self._unsaved, self.trouble = None, ""
        self._saved_at = time.monotonic()
        self._fold.committed()
        for moved in self.watching:
            moved.update(changes.states)
        self._measure(changes)
        self._on_signals(changes.rows.get("signals", ()))
        self._on_commit()
        return True

    def _meta_due(self) -> bool:
        return time.monotonic() - self._saved_at >= META_SECONDS

    def answer(self) -> None:
        """Answer the questions that wait; only the thread that takes turns may call it."""
        while self._calls:
            work, done = self._calls.popleft()
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(work(self._fold))
            except Exception as error:  # noqa: BLE001 - raised again where it was asked
                done.set_exception(error)

    def _measure(self, changes: Changes) -> None:
        self._metrics.set("waymark_sessionizer_applied_offset", changes.meta.applied)
        for table, rows in changes.rows.items():
            self._metrics.count("waymark_sessionizer_rows_total", len(rows), table=table)
        self._counted.tell()


def _dead_letter(unreadable: Unreadable, received_ms: int) -> bytes:
    """Return the letter of a line nobody can read; read again, it makes the same letter."""
    try:
        original, encoded = unreadable.original.decode(), False
    except UnicodeDecodeError:
        original, encoded = base64.b64encode(unreadable.original).decode(), True
    letter = DeadLetter(
        id=signal_id("dead_letter", str(unreadable.offset), str(unreadable.line)),
        source="",
        received_ms=received_ms,
        code="unreadable",
        field="",
        message=unreadable.reason,
        original=original,
        base64=encoded,
        topic="log",
        partition=0,
        offset=unreadable.offset,
    )
    return msgspec.json.encode(letter)
