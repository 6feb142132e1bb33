"""``/v1/orders``: what was bought, once an order, with what came back of it."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.common.times import LATEST_MS
from services.metrics_api import scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.lists import MOST, ListQuery, newest, page
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import Order, shape

router = APIRouter(tags=["orders"])

FILTERS = ("order_id", "visitor_id", "user_id", "cart_id")
UNBOUNDED = {
    "from_ms": 0,
    "to_ms": LATEST_MS,
    "place_ms": LATEST_MS,
    "place_id": "",
    "limit": 100 * MOST,
}


class OrderQuery(ListQuery):
    """Filters of orders; a range is of the order's own time."""

    order_id: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    cart_id: str | None = None
    include_bots: bool = False


@router.get("/v1/orders", responses=described(Order, rows=True))
async def list_orders(
    query: Annotated[OrderQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List orders by their own time, newest first."""
    source = (await scope.one(parts, access, query.source)).name
    read = partial(
        parts.store.rows,
        "orders",
        source=source,
        session_ids=[],
        include_bots=query.include_bots,
        **query.bound(FILTERS),
    )
    found = await newest(parts, source, query, read)
    return page(query, found, ("at_ms", "order_id"), lambda row: shape(row, Order))


async def resolved(
    parts: Parts, source: str, *, session_ids: list[str] | None = None, **filters: str
) -> list[dict[str, Any]]:
    """Return every order of sessions, a visitor or a user, each once, money in minor units."""
    wanted = {name: filters.get(name, "") for name in FILTERS}
    return await parts.store.rows(
        "orders",
        source=source,
        session_ids=session_ids or [],
        include_bots=True,
        **wanted,
        **UNBOUNDED,
    )
