"""Recomputes sessions, carts, orders, signals and flags from stored events by the core's own fold.

DESIGN, *The fold* 4 and *Storage*. Live state is untouched: a visitor's rows are replaced up to
where its live fold still holds something open (``cut.py``). Rows that come out the same are not
written; an id that vanishes gets a ``deleted`` version, save for rows older than the visitor's
oldest stored event, which retention has taken out of reach.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec
from msgspec import Struct

from schemas.event import Event, address_of
from schemas.rows import OrderRow, SignalRow
from services.common.ports import Progress, Storage, nothing
from services.history import queries
from services.history.cut import NEVER, TimedRow, anchor_ms, cut_ms
from services.history.groups import Portion, all_portions, portions_of
from services.history.stored import AnyRow, Key, events_of, key_of, rows_of
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Rules

LiveFrom = Callable[[str, str], int]
Write = Callable[[str, list[bytes]], None]
"""Takes a table and its JSON lines; marks sealed buckets dirty before it inserts."""

DAY_MS = 86_400_000
TABLES = ("sessions", "carts", "orders", "signals")
_encode = msgspec.json.Encoder().encode


class Moment(Struct, frozen=True):
    """A time, and since when a visitor of a source holds something open live at it."""

    as_of_ms: int
    live_from: LiveFrom


class Task(Struct, frozen=True):
    """What a rebuild needs beside storage: rules, the moment it is of, how to hold live still."""

    source: str
    rules: Rules
    as_of_ms: int
    version: int
    still: Callable[[], AbstractContextManager[Moment]] | None = None
    """Holds the live fold for a block, all it has stated stored; without it nothing is live."""

    def held(self) -> AbstractContextManager[Moment]:
        """Return a block in which events, states and rows read belong together."""
        if self.still is not None:
            return self.still()
        return nullcontext(Moment(self.as_of_ms, lambda _source, _address: NEVER))


class Change(Struct):
    """How many rows of a table were (or would be) written anew, left the same, taken back."""

    new: int = 0
    changed: int = 0
    same: int = 0
    deleted: int = 0


class Summary(Struct):
    """The outcome of a rebuild: changes by table, and how many events were folded."""

    events: int
    tables: dict[str, Change]


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
    if addresses is None:
        portions = all_portions(storage, task.source)
    else:
        portions = portions_of(storage, task.source, addresses)
    summary = Summary(0, {table: Change() for table in (*TABLES, "event_flags")})
    for done, portion in enumerate(portions):
        progress(done, len(portions), "rebuild")
        _portion(storage, task, portion, write, summary)
    progress(len(portions), len(portions), "rebuild")
    return summary


def addresses_between(storage: Storage, source: str, from_ms: int, to_ms: int) -> list[str]:
    """Return who has an event in [from, to)."""
    bounds = {"source": source, "from_ms": from_ms, "to_ms": to_ms}
    return [row["address"] for row in storage.query(queries.text("addresses"), bounds)]


def marked(storage: Storage, source: str) -> list[str]:
    """Return the visitors that late events, late orders or lost states have marked."""
    return [row["address"] for row in storage.query(queries.text("marked"), {"source": source})]


def _portion(
    storage: Storage, task: Task, portion: Portion, write: Write | None, summary: Summary
) -> None:
    with task.held() as moment:
        events = events_of(storage, task.source, portion)
        first_ms = _first_event_ms(events)
        visitors = sorted(first_ms.keys() | set(portion.addresses))
        live = {visitor: moment.live_from(task.source, visitor) for visitor in visitors}
        stored = {
            table: list(rows_of(storage, table, task.source, visitors)) for table in summary.tables
        }
    summary.events += len(events)
    rows = fold_history(events, task.rules, moment.as_of_ms, task.version)
    cuts = _cuts(rows, live)
    made: dict[str, Sequence[AnyRow]] = {
        "sessions": rows.sessions,
        "carts": rows.carts,
        "orders": rows.orders,
        "signals": rows.signals,
        "event_flags": rows.flags,
    }
    for table, fresh in made.items():
        difference = _Difference(table, task.version, cuts, first_ms, summary.tables[table])
        lines = difference.lines(fresh, stored[table])
        if write is not None and lines:
            write(table, lines)


def _first_event_ms(events: Iterable[Event]) -> dict[str, int]:
    first: dict[str, int] = {}
    for event in events:
        address = address_of(event)
        first[address] = min(event.ts_ms, first.get(address, NEVER))
    return first


def _cuts(rows: Rows, live: dict[str, int]) -> dict[str, int]:
    by_visitor: dict[str, list[TimedRow]] = defaultdict(list)
    timed: list[TimedRow] = [*rows.sessions, *rows.carts, *rows.orders, *rows.signals]
    for row in timed:
        by_visitor[row.visitor_id].append(row)
    return {visitor: cut_ms(by_visitor[visitor], since) for visitor, since in live.items()}


class _Difference:
    """What must be written of one table so that its stored rows become the fresh ones."""

    def __init__(
        self,
        table: str,
        version: int,
        cuts: dict[str, int],
        first_ms: dict[str, int],
        change: Change,
    ) -> None:
        self._table = table
        self._version = version
        self._cuts = cuts
        self._first_ms = first_ms
        self._change = change

    def lines(
        self, fresh: Sequence[AnyRow], stored: Iterable[tuple[AnyRow, dict[str, Any]]]
    ) -> list[bytes]:
        """Return JSON lines: new and changed rows, and the vanished ones marked deleted."""
        left: dict[Key, AnyRow] = {key_of(self._table, row): row for row in fresh if self._may(row)}
        lines = []
        for old, raw in stored:
            row = left.pop(key_of(self._table, old), None)
            if row is not None and _content(row) == _content(old):
                self._change.same += 1
            elif row is not None:
                self._change.changed += 1
                lines.append(_encode(_above(row, old)))
                if _moved(row, old):
                    lines.append(self._deleted(old, raw))
            elif self._may(old) and self._within_reach(old):
                self._change.deleted += 1
                lines.append(self._deleted(old, raw))
        self._change.new += len(left)
        lines.extend(_encode(row) for row in left.values())
        return lines

    def _deleted(self, old: AnyRow, raw: dict[str, Any]) -> bytes:
        version = max(self._version, old.version + 1)
        return _encode({**raw, "version": version, "deleted": 1})

    def _may(self, row: AnyRow) -> bool:
        # A mark stays where what it marks could not be replaced yet.
        return anchor_ms(row) < self._cuts.get(row.visitor_id, NEVER)

    def _within_reach(self, row: AnyRow) -> bool:
        return anchor_ms(row) >= self._first_ms.get(row.visitor_id, NEVER)


def _moved(row: AnyRow, old: AnyRow) -> bool:
    """Tell whether a row's anchor is on another UTC day: there it replaces nothing by itself.

    Tables sort by (source, day of the anchor, id), so the old version would go on standing.
    """
    return not isinstance(row, OrderRow) and anchor_ms(row) // DAY_MS != anchor_ms(old) // DAY_MS


def _above(row: AnyRow, old: AnyRow) -> AnyRow:
    """Return the row with a version above the old one's, though the log's clock may stand."""
    if row.version > old.version:
        return row
    return msgspec.structs.replace(row, version=old.version + 1)


def _content(row: AnyRow) -> AnyRow:
    """Return the row without what says only when it was stated."""
    if isinstance(row, SignalRow):
        return msgspec.structs.replace(row, version=0, emitted_ms=0)
    return msgspec.structs.replace(row, version=0)
