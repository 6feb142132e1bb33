"""Reads what a rebuild starts from and what it replaces: stored events and stored rows."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.event import Event, address_of
from schemas.rows import CartRow, FlagRow, OrderRow, SessionRow, SignalRow
from services.common.ports import Storage
from services.history import queries
from services.history.groups import Portion

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
    found = storage.query(*_asked("bodies", source, portion))
    events = [_decoder.decode(row["body"]) for row in found]
    if portion.left_out:
        return [event for event in events if address_of(event) not in portion.left_out]
    return events


def rows_of(
    storage: Storage, table: str, source: str, portion: Portion
) -> Iterator[tuple[AnyRow, dict[str, Any]]]:
    """Yield the rows of a portion's visitors as they stand, typed and as stored."""
    for row in storage.query(*_asked("stored", source, portion, table=table)):
        if row["visitor_id"] not in portion.left_out:
            yield msgspec.convert(row, TYPES[table], strict=False), row


def _asked(what: str, source: str, portion: Portion, **slots: str) -> tuple[str, dict[str, Any]]:
    """Return the statement that reads a portion, and its parameters."""
    if portion.addresses:
        chosen = {"source": source, "addresses": list(portion.addresses)}
        return queries.text(f"{what}_of", **slots), chosen
    within = {"source": source, "first": portion.first, "before": portion.before}
    return queries.text(f"{what}_within", **slots), within
