"""Recomputes sessions, carts, orders, signals and flags from stored events by the core's own fold.

DESIGN, *The fold* 4 and *Storage*. Live state is untouched: a visitor's rows are replaced up to
where its live fold still holds something open (``cut.py``). A round, in this order:

1. Begin to note whose live state moves; only then find who is linked to whom.
2. A portion at a time: wait until storage has what the fold has stated, read rows, then events.
3. Fold the portion, and ask the fold what it holds open and who has moved since 1.
4. Write what differs (``difference.py``), save for those who moved: they are for the next round.

Whoever has not moved by 3 has in storage all that its state was made of, however long 2 took.
Rounds grow shorter with whom is left. Those few who move in each are read while the fold is held,
so many at a time that no hold lasts a second.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec
from msgspec import Struct

from schemas.event import Event, address_of
from schemas.rows import FlagRow
from services.common.ports import Progress, Storage, nothing
from services.history import queries
from services.history.beside import Live, NothingLive, View, Watch
from services.history.cut import NEVER, TimedRow, cut_ms
from services.history.difference import Change, Difference
from services.history.groups import Portion, all_portions, portions_of, small_portions
from services.history.stored import AnyRow, events_of, rows_of
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Rules

Write = Callable[[str, list[bytes]], None]
"""Takes a table and its JSON lines; marks sealed buckets dirty before it inserts."""

TABLES = ("sessions", "carts", "orders", "signals")
ROUNDS = 6
FEW = 100
"""With so few left, further rounds are not worth while."""
HELD_EVENTS = 2_000
"""So many events are read, folded and replaced under one hold of the fold: some 0.3 s."""


class Task(Struct, frozen=True):
    """What a rebuild needs beside storage: rules, a time and version, and what is live beside it.

    ``as_of_ms`` and ``version`` are of the task's beginning; without ``live`` nothing else moves.
    """

    source: str
    rules: Rules
    as_of_ms: int
    version: int
    live: Live | None = None

    def beside(self) -> Live:
        """Return what is live."""
        return self.live or NothingLive(self.as_of_ms)


class Summary(Struct):
    """The outcome of a rebuild of a source: changes by table, and how many events were folded.

    ``note`` says what its user should know, if anything.
    """

    source: str
    events: int
    tables: dict[str, Change]
    note: str = ""


def rebuild(
    storage: Storage,
    task: Task,
    write: Write | None,
    addresses: Iterable[str] | None = None,
    progress: Progress = nothing,
) -> Summary:
    """Rebuild some addresses with whoever is linked to them, or (None) a whole source.

    Without ``write`` nothing is stored, only counted.
    """
    summary = Summary(task.source, 0, {table: Change() for table in (*TABLES, "event_flags")})
    rebuilding = _Rebuilding(storage, task, write, summary, progress)
    left = set(addresses) if addresses is not None else None
    for _ in range(ROUNDS):
        with task.beside().watched() as watch:
            left = rebuilding.round(watch, left)
        if len(left) <= FEW:
            break
    if left:
        rebuilding.leave(rebuilding.held(left))
    return summary


def addresses_between(storage: Storage, source: str, from_ms: int, to_ms: int) -> list[str]:
    """Return who has an event in [from, to)."""
    bounds = {"source": source, "from_ms": from_ms, "to_ms": to_ms}
    return [row["address"] for row in storage.query(queries.text("addresses"), bounds)]


def marked(storage: Storage, source: str) -> list[str]:
    """Return the visitors that late events, late orders or lost states have marked."""
    return [row["address"] for row in storage.query(queries.text("marked"), {"source": source})]


class _Rebuilding(Struct, frozen=True):
    """One rebuild at work."""

    storage: Storage
    task: Task
    write: Write | None
    summary: Summary
    progress: Progress

    def round(self, watch: Watch, addresses: Collection[str] | None) -> set[str]:
        """Rebuild the addresses, None for all; return who has moved meanwhile and is left."""
        watch.settle()
        if addresses is None:
            portions = all_portions(self.storage, self.task.source)
        else:
            portions = portions_of(self.storage, self.task.source, addresses)
        moved: set[str] = set()
        for done, portion in enumerate(portions):
            self.progress(done, len(portions), "recomputing")
            moved |= self._portion(watch, portion)
        self.progress(len(portions), len(portions), "recomputing")
        return moved

    def held(self, addresses: Collection[str]) -> set[str]:
        """Rebuild those who never rest, under one short hold after the other; return who is left.

        Where nothing can be held, whoever moves still is left too.
        """
        live, source = self.task.beside(), self.task.source
        left: set[str] = set()
        busy = 0
        for portion in small_portions(self.storage, source, addresses, HELD_EVENTS):
            if portion.events > HELD_EVENTS:
                busy += len(portion.addresses)
                left.update(portion.addresses)
                continue
            with live.watched() as watch:
                watch.settle()  # so that the hold has little left to bring into storage
            with live.held() as watch:
                left |= self.round(watch, portion.addresses)
        notes = []
        if busy:
            notes.append(f"{busy} visitors of more than {HELD_EVENTS} events, alone or linked,")
        if len(left) > busy:
            notes.append(f"{len(left) - busy} visitors")
        if notes:
            self.summary.note = (
                f"{' and '.join(notes)} were busy all along and are left to the nightly rebuild"
            )
        return left

    def leave(self, addresses: Collection[str]) -> None:
        """Mark visitors for the nightly rebuild; the mark goes once nothing of theirs is open."""
        marks = [
            FlagRow(
                source=self.task.source,
                visitor_id=address,
                event_id="",
                ts_ms=self.task.as_of_ms,
                flag="busy",
                version=self.task.version,
            )
            for address in sorted(addresses)
        ]
        if self.write is not None and marks:
            self.write("event_flags", [msgspec.json.encode(mark) for mark in marks])

    def _portion(self, watch: Watch, portion: Portion) -> frozenset[str]:
        watch.settle()
        # Rows before events: a mark that is read must not be without the event it marks.
        stored = {
            table: list(rows_of(self.storage, table, self.task.source, portion))
            for table in self.summary.tables
        }
        events = events_of(self.storage, self.task.source, portion)
        first_ms = _first_event_ms(events)
        view = watch.view(self.task.source, first_ms.keys() | set(portion.addresses))
        rows = fold_history(events, self.task.rules, view.as_of_ms, self.task.version)
        self.summary.events += sum(address_of(event) not in view.moved for event in events)
        cuts = _cuts(rows, view)
        for table, fresh in _by_table(rows).items():
            difference = Difference(
                table, self.task.version, cuts, first_ms, self.summary.tables[table]
            )
            lines = difference.lines(
                [row for row in fresh if row.visitor_id not in view.moved],
                [pair for pair in stored[table] if pair[0].visitor_id not in view.moved],
            )
            if self.write is not None and lines:
                self.write(table, lines)
        return view.moved


def _by_table(rows: Rows) -> dict[str, Sequence[AnyRow]]:
    return {
        "sessions": rows.sessions,
        "carts": rows.carts,
        "orders": rows.orders,
        "signals": rows.signals,
        "event_flags": rows.flags,
    }


def _first_event_ms(events: Iterable[Event]) -> dict[str, int]:
    first: dict[str, int] = {}
    for event in events:
        address = address_of(event)
        first[address] = min(event.ts_ms, first.get(address, NEVER))
    return first


def _cuts(rows: Rows, view: View) -> dict[str, int]:
    """Return up to when each visitor's rows may be replaced; nothing of those who moved."""
    by_visitor: dict[str, list[TimedRow]] = defaultdict(list)
    timed: list[TimedRow] = [*rows.sessions, *rows.carts, *rows.orders, *rows.signals]
    for row in timed:
        by_visitor[row.visitor_id].append(row)
    return {
        visitor: cut_ms(by_visitor[visitor], since)
        for visitor, since in view.open_since.items()
        if visitor not in view.moved
    }
