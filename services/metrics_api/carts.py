"""``/v1/carts``: what visitors put aside, and how it ended."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from schemas.rows import UNRESOLVED, Friction, Outcome
from services.common.answers import json_answer
from services.metrics_api import entity, scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.lists import ListQuery, newest, page
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import Cart, shape

router = APIRouter(tags=["carts"])

FILTERS = (
    "visitor_id",
    "user_id",
    "client_cart_id",
    "order_id",
    "outcome",
    "checkout_step",
    "friction",
    "product",
)


class CartQuery(ListQuery):
    """Filters of carts; a range is of when they opened."""

    visitor_id: str | None = None
    user_id: str | None = None
    client_cart_id: str | None = Field(None, description="the shop's own id")
    order_id: str | None = None
    outcome: Outcome | None = None
    checkout_step: str | None = Field(None, description="furthest step")
    friction: Friction | None = None
    product: str | None = Field(None, description="product id in its lines")
    include_bots: bool = False


@router.get("/v1/carts", responses=described(Cart, rows=True))
async def list_carts(
    query: Annotated[CartQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List cart episodes by when they opened, newest first."""
    source = (await scope.one(parts, access, query.source)).name
    bots, filters = query.include_bots, query.bound(FILTERS)
    read = partial(parts.store.rows, "carts", source=source, include_bots=bots, **filters)
    found = await newest(parts, source, query, read)
    return page(query, found, ("opened_ms", "cart_id"), lambda row: shape(row, Cart))


@router.get("/v1/carts/{cart_id}", responses=described(Cart))
async def one_cart(cart_id: str, access: Reader, parts: PartsOf) -> Response:
    """Show one cart as it stands now: look again here before writing to a shopper."""
    row = await entity.one(parts, access, "cart", cart_id)
    return json_answer(shape(await _as_of_now(parts, row), Cart))


async def _as_of_now(parts: Parts, row: dict[str, Any]) -> dict[str, Any]:
    """Return a cart's row with the live cart over it, unless the row says how it ended.

    Storage learns of an order a grace after it came; a shopper who has paid is not to be told that
    she left (DESIGN, *The fold* 5).
    """
    if row["outcome"] not in UNRESOLVED:
        return row
    now = await parts.live.cart(row["source"], row["visitor_id"], row["cart_id"])
    return row | (now or {})
