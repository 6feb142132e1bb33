"""Everything stored of one person, in the shapes the other endpoints answer."""

from typing import Any

import msgspec

from services.metrics_api.orders import resolved
from services.metrics_api.parts import Parts
from services.metrics_api.sessions import joined
from services.metrics_api.shapes import Cart, Order, SessionFull, Signal, event_shape, shape


async def of_visitor(parts: Parts, source: str, visitor_id: str) -> dict[str, list[Any]]:
    """Return a visitor's events, sessions, carts, orders and signals."""
    return await _collect(parts, source, visitor_id=visitor_id)


async def of_user(parts: Parts, source: str, user_id: str) -> dict[str, list[Any]]:
    """Return what names a user, under whichever visitor it was done."""
    return await _collect(parts, source, user_id=user_id)


async def _collect(
    parts: Parts, source: str, *, visitor_id: str = "", user_id: str = ""
) -> dict[str, list[Any]]:
    async def rows(name: str) -> list[dict[str, Any]]:
        return await parts.store.rows(
            f"export_{name}", source=source, visitor_id=visitor_id, user_id=user_id
        )

    orders = await resolved(parts, source, visitor_id=visitor_id, user_id=user_id)
    return {
        "events": [event_shape(msgspec.json.decode(r["body"])) for r in await rows("events")],
        "sessions": [shape(r, SessionFull) for r in await joined(parts, await rows("sessions"))],
        "carts": [shape(row, Cart) for row in await rows("carts")],
        "orders": [shape(row, Order) for row in orders],
        "signals": [shape(row, Signal) for row in await rows("signals")],
    }
