"""``/v1/events``: canonical events, to follow what arrives and to search."""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field

from schemas.event import EventType
from services.metrics_api import scope
from services.metrics_api.auth import Reader
from services.metrics_api.lists import ListQuery, commas, newest, page
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import event_shape

router = APIRouter(tags=["events"])

FILTERS = (
    "name",
    "event_id",
    "visitor_id",
    "user_id",
    "cart_id",
    "order_id",
    "path",
    "product",
    "q",
    "by",
)


class EventQuery(ListQuery):
    """Filters of events; a range is of their own time, or of arrival with `by=received`."""

    type: Annotated[list[EventType], commas, Field(default_factory=list)]
    name: str | None = None
    event_id: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    cart_id: str | None = Field(None, description="the shop's own id")
    order_id: str | None = None
    path: str | None = None
    product: str | None = Field(None, description="product id")
    q: str | None = Field(None, description="text anywhere in the event")
    by: Literal["time", "received"] = Field("time", description="`received` follows arrivals")
    include_bots: bool = True


@router.get("/v1/events", response_model=None)
async def list_events(
    query: Annotated[EventQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List canonical events, newest first; money in major units."""
    source = (await scope.one(parts, access, query.source)).name
    read = partial(
        parts.store.rows,
        "events",
        source=source,
        types=query.type,
        include_bots=query.include_bots,
        **query.bound(FILTERS),
    )
    found = await newest(parts, source, query, read)
    bodies = [msgspec.json.decode(row["body"]) for row in found.rows]
    shown = await shown_events(parts, source, bodies)
    found.rows = [row | {"shown": event} for row, event in zip(found.rows, shown, strict=True)]
    return page(query, found, ("moment", "known_by"), lambda row: row["shown"])


async def shown_events(
    parts: Parts, source: str, events: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return events as answers show them; one that was not folded in order says why in `flags`."""
    if not events:
        return []
    ids = sorted({event["event_id"] for event in events if event.get("event_id")})
    flags: dict[str, list[str]] = {}
    for row in await parts.store.rows("event_flags", source=source, ids=ids):
        flags.setdefault(row["event_id"], []).append(row["flag"])
    return [
        event_shape(event) | {"flags": flags[event["event_id"]]}
        if event.get("event_id") in flags
        else event_shape(event)
        for event in events
    ]
