"""``/v1/sessions``: visits, and one of them with the events that made it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field

from schemas.rows import Friction, Outcome
from services.common.answers import json_answer
from services.common.times import LATEST_MS
from services.metrics_api import entity, scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.events import shown_events
from services.metrics_api.lists import ListQuery, StageInAnyCase, newest, page, span
from services.metrics_api.orders import resolved
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import Session, SessionWhole, shape

router = APIRouter(tags=["sessions"])

CartOutcome = Literal["none", Outcome]
MOST_EVENTS = 5_000
FILTERS = (
    "visitor_id",
    "user_id",
    "bounced",
    "cart_outcome",
    "stage",
    "dropped_at",
    "friction",
    "channel",
    "device",
    "path",
    "product",
)


class SessionQuery(ListQuery):
    """Filters of sessions; a range is of their start."""

    visitor_id: str | None = None
    user_id: str | None = None
    bounced: bool | None = Field(None, description="closed sessions that did, or did not")
    cart_outcome: CartOutcome | None = None
    stage: StageInAnyCase | None = Field(None, description="touched this stage")
    dropped_at: StageInAnyCase | None = Field(
        None, description="furthest stage of a closed session without an order"
    )
    friction: Friction | None = None
    channel: str | None = None
    device: str | None = None
    path: str | None = Field(None, description="a page of the session has it")
    product: str | None = Field(None, description="product id that an event of it names")
    include_bots: bool = False


@router.get("/v1/sessions", responses=described(Session, rows=True))
async def list_sessions(
    query: Annotated[SessionQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List sessions by their start, newest first."""
    source = (await scope.one(parts, access, query.source)).name
    found = await newest(parts, source, query, _reader(parts, source, query))
    found.rows[: query.limit] = await joined(parts, found.rows[: query.limit])
    return page(query, found, ("started_ms", "session_id"), lambda row: shape(row, Session))


@router.get("/v1/sessions/{session_id}", responses=described(SessionWhole))
async def one_session(session_id: str, access: Reader, parts: PartsOf) -> Response:
    """Show one session with its pages and its events in the order they count."""
    row = await entity.one(parts, access, "session", session_id)
    whole = (await joined(parts, [row]))[0]
    events = await events_of(parts, row)
    return json_answer(shape(whole | {"timeline": events}, SessionWhole))


async def of_visitor(
    parts: Parts, source: str, visitor_id: str, limit: int
) -> list[dict[str, Any]]:
    """Return a visitor's newest sessions with cart outcomes and orders, machine traffic too."""
    query = SessionQuery.model_validate(
        {"visitor_id": visitor_id, "include_bots": True, "limit": limit}
    )
    ends = span(query, 0).parameters(0)
    return await joined(parts, (await _reader(parts, source, query)(**ends))[:limit])


async def events_of(parts: Parts, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a session: its visitor's from its start to its end or the next one."""
    source, visitor_id = row["source"], row["visitor_id"]
    following = await parts.store.rows(
        "next_session", source=source, visitor_id=visitor_id, after_ms=row["started_ms"]
    )
    until = LATEST_MS if row["closed_ms"] is None else row["closed_ms"]
    if following:
        until = min(until, following[0]["started_ms"] - 1)
    rows = await parts.store.rows(
        "visitor_events",
        source=source,
        address=visitor_id,
        from_ms=row["started_ms"],
        to_ms=until,
        limit=MOST_EVENTS,
    )
    return await shown_events(parts, source, [msgspec.json.decode(r["body"]) for r in rows])


async def joined(parts: Parts, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return session rows with the outcome of their cart, their orders and revenue."""
    if not rows:
        return []
    source = rows[0]["source"]
    outcomes = await _outcomes(parts, source, sorted({r["cart_id"] for r in rows if r["cart_id"]}))
    orders = await _orders(parts, source, [row["session_id"] for row in rows])
    known = parts.catalog.source(source)
    currency = known.currency if known else ""
    return [
        {
            **row,
            "cart_outcome": outcomes.get(row["cart_id"], "open") if row["cart_id"] else "none",
            **money_of(orders.get(row["session_id"], []), currency),
        }
        for row in rows
    ]


def money_of(orders: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    """Return a session's orders, revenue and currency.

    Provisional orders count in no money (docs/api.md, *Entities*). Currencies are never added:
    where orders are in several, revenue is null and the currency empty.
    """
    counted = [order for order in orders if not order["provisional"]]
    currencies = {order["currency"] for order in counted} or {currency}
    if len(currencies) > 1:
        return {"orders": len(orders), "revenue": None, "currency": ""}
    total = sum(order["value"] or 0 for order in counted)
    return {
        "orders": len(orders),
        "revenue": total,
        "currency": currencies.pop(),
    }


def _reader(
    parts: Parts, source: str, query: SessionQuery
) -> Callable[..., Awaitable[list[dict[str, Any]]]]:
    bots, filters = query.include_bots, query.bound(FILTERS)
    return partial(parts.store.rows, "sessions", source=source, include_bots=bots, **filters)


async def _outcomes(parts: Parts, source: str, ids: list[str]) -> dict[str, str]:
    if not ids:
        return {}
    rows = await parts.store.rows("cart_outcomes", source=source, ids=ids)
    return {row["cart_id"]: row["outcome"] for row in rows}


async def _orders(
    parts: Parts, source: str, session_ids: list[str]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await resolved(parts, source, session_ids=session_ids):
        found.setdefault(row["session_id"], []).append(row)
    return found
