"""Reads what a rebuild starts from and what it replaces: stored events and stored rows."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from schemas.event import Event, address_of
from schemas.rows import CartRow, FlagRow, OrderRow, SessionRow, SignalRow
from services.common.ports import Storage
from services.history import queries
from services.history.groups import PORTION_GROUPED, Portion

AnyRow = SessionRow | CartRow | OrderRow | SignalRow | FlagRow
Key = tuple[str, ...]

TYPES: dict[str, type[AnyRow]] = {
    "sessions": SessionRow,
    "carts": CartRow,
    "orders": OrderRow,
    "signals": SignalRow,
    "event_flags": FlagRow,
}

KEYS: dict[str, tuple[str, ...]] = {
    "sessions": ("session_id",),
    "carts": ("cart_id",),
    "orders": ("order_id", "visitor_id", "event_id", "kind"),
    "signals": ("signal_id",),
    "event_flags": ("visitor_id", "event_id", "flag"),
}
"""What names a row within its source, by table: the rest of the table's sorting key."""

_decoder = msgspec.json.Decoder(Event)


def key_of(table: str, row: AnyRow) -> Key:
    """Return a row's id within its source."""
    return tuple(str(getattr(row, name)) for name in KEYS[table])


def events_of(storage: Storage, source: str, portion: Portion) -> list[Event]:
    """Return the stored events of a portion, in no order."""
    if portion.addresses:
        addresses = list(portion.addresses)
        found = storage.query(queries.text("bodies_of"), {"source": source, "addresses": addresses})
    else:
        shard = {"source": source, "shard": portion.shard, "shards": portion.shards}
        found = storage.query(queries.text("bodies_of_shard"), shard)
    events = [_decoder.decode(row["body"]) for row in found]
    if portion.left_out:
        return [event for event in events if address_of(event) not in portion.left_out]
    return events


def rows_of(
    storage: Storage, table: str, source: str, visitors: Sequence[str]
) -> Iterator[tuple[AnyRow, dict[str, Any]]]:
    """Yield some visitors' rows as they stand, typed and as stored."""
    for start in range(0, len(visitors), PORTION_GROUPED):
        some = list(visitors[start : start + PORTION_GROUPED])
        for row in storage.query(
            queries.text(f"stored_{table}"), {"source": source, "addresses": some}
        ):
            yield msgspec.convert(row, TYPES[table], strict=False), row
