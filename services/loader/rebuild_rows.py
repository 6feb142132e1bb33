"""What a rebuild writes: new versions of rows that differ, ``deleted`` ones of rows that vanished.

Rows that came out the same are not written again, so that a rebuild which changes nothing marks
nothing dirty. What is still live is the caller's to leave out (``keep``).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from schemas.rows import CartRow, OrderRow, Row, SessionRow, SignalRow
from services.common.ports import Sink, Storage
from services.loader.text import text

Id = tuple[str, ...]


class _Kind(Struct, frozen=True):
    row: type[Row]
    id: tuple[str, ...]
    anchor: str


KINDS = {
    "sessions": _Kind(SessionRow, ("session_id",), "started_ms"),
    "carts": _Kind(CartRow, ("cart_id",), "opened_ms"),
    "orders": _Kind(OrderRow, ("order_id", "visitor_id", "event_id"), ""),
    "signals": _Kind(SignalRow, ("signal_id",), "at_ms"),
}
"""By table: its rows, what tells one from another, and the time whose month is its partition."""


class Difference(Struct, frozen=True):
    """What stands in storage against what a rebuild made of the same visitors."""

    added: list[Row]
    changed: list[tuple[Row, Row]]
    vanished: list[Row]
    same: int


def stored_rows(
    storage: Storage, table: str, source: str, visitors: Sequence[str] | None = None
) -> list[Row]:
    """Return the rows that stand, of some visitors or (None) of all."""
    whose = "1" if visitors is None else "visitor_id IN {visitors:Array(String)}"
    sql = text("stored_rows", table=table, whose=whose)
    lines = storage.stream(sql, {"source": source, "visitors": visitors or []})
    decoder = msgspec.json.Decoder(KINDS[table].row, strict=False)
    return [decoder.decode(line) for line in lines]


def difference(
    table: str, stored: Iterable[Row], made: Iterable[Row], keep: Collection[str] = ()
) -> Difference:
    """Compare by id; rows whose first id is in ``keep`` are neither written nor deleted."""
    before = {_id(table, row): row for row in stored if _id(table, row)[0] not in keep}
    after = {_id(table, row): row for row in made if _id(table, row)[0] not in keep}
    both = [(before[key], row) for key, row in after.items() if key in before]
    changed = [(old, new) for old, new in both if _bare(old) != _bare(new)]
    return Difference(
        added=[row for key, row in after.items() if key not in before],
        changed=changed,
        vanished=[row for key, row in before.items() if key not in after],
        same=len(both) - len(changed),
    )


def replace_rows(sink: Sink, table: str, found: Difference, version: int, token: str) -> int:
    """Write a difference as ``version``, through a sink that marks buckets; return how many rows.

    ``version`` must exceed that of every row that stands: the log clock at the rebuild's start.
    """
    replace = msgspec.structs.replace
    gone = [*found.vanished, *(old for old, new in found.changed if _moved(table, old, new))]
    rows = [replace(row, version=version, deleted=True) for row in gone]
    rows += [replace(row, version=version) for row in found.added]
    rows += [replace(new, version=version) for _, new in found.changed]
    sink.insert(table, [msgspec.json.encode(row) for row in rows], token)
    return len(rows)


def _id(table: str, row: Row) -> Id:
    return tuple(str(getattr(row, name)) for name in KINDS[table].id)


def _bare(row: Row) -> Row:
    """Return the row without what two computations of the same thing may differ in."""
    bare = msgspec.structs.replace(row, version=0, deleted=False)
    return msgspec.structs.replace(bare, emitted_ms=0) if isinstance(bare, SignalRow) else bare


def _moved(table: str, old: Row, new: Row) -> bool:
    """Tell whether a row changed its partition, so that the old version must be taken back."""
    anchor = KINDS[table].anchor
    return bool(anchor) and _month(getattr(old, anchor)) != _month(getattr(new, anchor))


def _month(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y%m}"
