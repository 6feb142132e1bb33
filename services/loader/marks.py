"""Rows into storage, buckets that they change marked dirty first.

A bucket that is sealed may still be changed: by a late row, a refund, a rebuild, an erasure. Its
seal is marked dirty *before* the row is inserted (so that no reader misses it) and once more after
(so that a seal job which summed in between does not stay clean). Marks are for ever conservative:
one too many costs a little reading, one too few a wrong number.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from schemas.spans import DAY_MS
from services.common.columns import Columns
from services.common.errors import InvalidError
from services.common.ports import Clock, Storage
from services.loader.text import text
from services.rollups.facts import FACTS

AHEAD = 1 << 20
"""How far a mark's version runs ahead: further than any seal's that is under way."""

Instants = dict[str, set[int]]
"""By source, the times whose buckets change."""


class _Times(Struct, frozen=True, gc=False):
    """What of a row of any table tells which buckets it counts in."""

    source: str
    started_ms: int | None = None
    ended_ms: int | None = None
    opened_ms: int | None = None
    bucket_ms: int | None = None
    last_activity_ms: int | None = None
    at_ms: int | None = None
    ts_ms: int | None = None
    session_id: str = ""
    cart_id: str = ""
    order_id: str = ""
    signal_id: str = ""


_decoder = msgspec.json.Decoder(_Times)
_ID = {"sessions": "session_id", "carts": "cart_id", "signals": "signal_id"}
_TIMES = {
    "sessions": "[started_ms, intDiv(started_ms + ended_ms, 2), ended_ms]",
    "carts": "[ifNull(bucket_ms, last_activity_ms)]",
    "signals": "[at_ms]",
}
LAG = {
    table: min(fact.lag_ms for fact in FACTS.values() if fact.table == table)
    for table in {fact.table for fact in FACTS.values()}
}
"""By table, how long after its end a bucket is sealed at the earliest."""


class MarkingSink:
    """The ``Sink`` that the loader, an import and a rebuild write through."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        """Insert JSON rows; what they change in sealed buckets is marked before and after."""
        instants = self._changed(table, lines) if table in LAG else {}
        floors = {source: oldest_event(self._storage, source) for source in instants}
        mark(self._storage, table, instants, floors)
        self._storage.insert(table, lines, token)
        mark(self._storage, table, instants, floors)

    def _changed(self, table: str, lines: Sequence[bytes]) -> Instants:
        # Half of the lag more than needed: the log's clock never goes back, this one may, by hours.
        sealed_ms = self._clock.now_ms() - LAG[table] // 2
        if isinstance(lines, Columns):
            return lines.times_before(sealed_ms)
        rows = _decoded(table, lines)
        if table == "orders":
            return _older(order_instants(self._storage, rows), sealed_ms)
        own = _older(_own(rows), sealed_ms)
        if not own and not any(_moved_on(row, sealed_ms) for row in rows):
            return own
        return _older(_merged(own, _stored(self._storage, table, rows)), sealed_ms)


def _decoded(table: str, lines: Sequence[bytes]) -> list[_Times]:
    try:
        return [_decoder.decode(line) for line in lines]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidError(f"insert into {table}: {error}") from error


def mark(storage: Storage, table: str, instants: Instants, floors: dict[str, int]) -> None:
    """Mark the sealed buckets of a table's facts (an order's: the sessions' too) as dirty."""
    tables = {table, "sessions"} if table == "orders" else {table}
    facts = [fact.name for fact in FACTS.values() if fact.table in tables]
    for source, times in instants.items():
        storage.command(
            text("mark"),
            {
                "source": source,
                "facts": facts,
                "instants": sorted(times),
                "ahead": AHEAD,
                "floor": floors.get(source, 0),
            },
        )


def oldest_event(storage: Storage, source: str) -> int:
    """Return the time of the oldest raw event kept: roll-ups from before cannot be made again."""
    (row,) = storage.query(text("oldest_event"), {"source": source})
    return int(row["oldest"])


def order_instants(storage: Storage, rows: Iterable[_Times]) -> Instants:
    """Return the times of all rows of the orders named, and of the sessions that made them."""
    by_source: dict[str, list[_Times]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    found: Instants = {}
    for source, mine in by_source.items():
        parameters = {
            "source": source,
            "orders": sorted({row.order_id for row in mine}),
            "sessions": sorted({row.session_id for row in mine if row.session_id}),
            "from_ms": min(row.at_ms or 0 for row in mine) - 3 * DAY_MS,
        }
        stored = storage.query(text("order_times"), parameters)
        found[source] = {row.at_ms or 0 for row in mine} | {int(row["at_ms"]) for row in stored}
    return found


def _own(rows: Iterable[_Times]) -> Instants:
    found: Instants = defaultdict(set)
    for row in rows:
        times = found[row.source]
        if row.started_ms is not None and row.ended_ms is not None:
            middle = (row.started_ms + row.ended_ms) // 2
            times.update((row.started_ms, middle, row.ended_ms))
        for one in (row.bucket_ms or row.last_activity_ms, row.at_ms, row.ts_ms):
            if one is not None:
                times.add(one)
    return found


def _moved_on(row: _Times, sealed_ms: int) -> bool:
    """Tell whether a cart may have stood in a sealed bucket before: none does before it opened."""
    return row.opened_ms is not None and row.opened_ms < sealed_ms


def _stored(storage: Storage, table: str, rows: Iterable[_Times]) -> Instants:
    """Return the times that earlier versions of the rows count at."""
    if table not in _ID:
        return {}
    ids: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        ids[row.source].add(getattr(row, _ID[table]))
    sql = text("stored_times", table=table, id=_ID[table], times=_TIMES[table])
    return {
        source: {
            int(row["at_ms"]) for row in storage.query(sql, {"source": source, "ids": sorted(mine)})
        }
        for source, mine in ids.items()
    }


def _older(instants: Instants, than_ms: int) -> Instants:
    kept = {source: {at for at in times if at < than_ms} for source, times in instants.items()}
    return {source: times for source, times in kept.items() if times}


def _merged(one: Instants, other: Instants) -> Instants:
    sources = one.keys() | other.keys()
    return {source: one.get(source, set()) | other.get(source, set()) for source in sources}
