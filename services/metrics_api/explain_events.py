"""Which events an explanation rests on, and the fold of them made again."""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.event import Event
from services.common.times import LATEST_MS
from services.metrics_api.parts import Parts
from services.sessionizer.core.batch import Rows, fold_history

EVENT = msgspec.json.Decoder(Event)
CART_TYPES = frozenset(
    {
        *("cart_add", "cart_remove", "cart_view", "cart_update", "coupon", "purchase"),
        *("checkout_start", "checkout_step", "payment_info", "payment_failed"),
    }
)
MAY_DIFFER = ("version", "emitted_ms", "policy_version")
"""Fields in which a row made again may differ."""


async def history(parts: Parts, source: str, visitor_id: str) -> list[Event]:
    """Return the visitor's stored events and the orders that could reach it, as received."""
    bodies = await parts.store.rows(
        "visitor_events",
        source=source,
        address=visitor_id,
        from_ms=0,
        to_ms=LATEST_MS,
        limit=parts.settings.explain_events,
    )
    events = [EVENT.decode(row["body"]) for row in bodies]
    ids = {
        "cart_ids": _named(event.cart_id for event in events),
        "user_ids": _named(event.user_id for event in events),
        "order_ids": _named(event.order_id for event in events),
    }
    if not any(ids.values()):
        return events
    most = parts.settings.explain_events
    linked = await parts.store.rows(
        "linked_orders", source=source, address=visitor_id, limit=most, **ids
    )
    return events + [EVENT.decode(row["body"]) for row in linked]


async def folded(parts: Parts, events: list[Event]) -> Rows:
    """Fold the events again under the rules of now, up to the log's clock."""
    as_of = await parts.live.clock_ms()
    return await parts.store.run("explain", lambda: fold_history(events, parts.rules, as_of, 0))


def between(events: Iterable[Event], first_ms: int, last_ms: int) -> list[Event]:
    """Return the events of an interval, both ends included, in the order they happened."""
    found = [event for event in events if first_ms <= event.ts_ms <= last_ms]
    return sorted(found, key=lambda event: (event.ts_ms, event.event_id))


def of_cart(events: Iterable[Event], cart: dict[str, Any]) -> list[Event]:
    """Return the events that made a cart what it is: those on carts, and the last activity."""
    ends = [cart[name] for name in ("converted_ms", "emptied_ms", "lost_ms") if cart[name]]
    whole = between(events, cart["opened_ms"], max(ends, default=LATEST_MS))
    marks = {cart["last_activity_ms"], cart["bucket_ms"]}
    return [event for event in whole if event.type in CART_TYPES or event.ts_ms in marks]


def same(row: dict[str, Any], again: msgspec.Struct | None) -> bool:
    """Tell whether the fold made again says what is stored, but for versions."""
    if again is None:
        return False
    stored = msgspec.convert(row, type(again), strict=False)
    return all(
        getattr(stored, name) == getattr(again, name)
        for name in again.__struct_fields__
        if name not in MAY_DIFFER
    )


def _named(values: Iterable[str]) -> list[str]:
    return sorted({value for value in values if value})
