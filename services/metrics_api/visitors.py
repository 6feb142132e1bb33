"""``/v1/visitors`` and ``/v1/users``: where someone stands now, their past, export and erasure."""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from schemas.rows import STAGES
from services.common.answers import json_answer
from services.common.errors import OverloadedError, UnavailableError
from services.metrics_api import scope, sessions
from services.metrics_api.auth import Eraser, Reader
from services.metrics_api.errors import not_found
from services.metrics_api.export import of_user, of_visitor
from services.metrics_api.lists import MOST
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.sessions import money_of
from services.metrics_api.shapes import Cart, Session, shape

router = APIRouter(tags=["visitors"])

RANKS = (STAGES[-1], *STAGES[:-1])
"""Stages from the lowest; engagement never ranks above another (DESIGN, *Words*)."""

NOWHERE: dict[str, Any] = {
    "current_stage": "",
    "furthest_stage": "",
    "lifetime_stage": "",
    "open_session": None,
    "cart": None,
    "last_event_ms": None,
    "next_deadline_ms": None,
}


class PersonQuery(BaseModel):
    """Of which source the person is."""

    model_config = ConfigDict(extra="forbid")

    source: str | None = Field(None, description="needed where there is more than one")


class VisitorQuery(PersonQuery):
    """What to show of a visitor."""

    timeline: bool = Field(False, description="add the sessions, newest first")
    limit: int = Field(100, ge=1, le=MOST, description=f"sessions in it, at most {MOST:,}")


# Ids may hold a slash, so they take the rest of the path, and the longer routes come first.
Person = Annotated[PersonQuery, Query()]


def with_past(live: dict[str, Any], past: dict[str, Any]) -> dict[str, Any]:
    """Return the live state with the furthest stage and the last event storage remembers.

    The fold forgets a visitor who is idle (ADR 2, A5); ``lifetime_stage`` is the furthest ever.
    """
    stages = [stage for stage in (*past["stages"], live["lifetime_stage"]) if stage in RANKS]
    last = max(live["last_event_ms"] or 0, past["last_event_ms"] or 0)
    return live | {
        "lifetime_stage": max(stages, key=RANKS.index, default=""),
        "last_event_ms": last or None,
    }


def timeline(now: Session | None, stored: list[Session]) -> list[Session]:
    """Return the sessions newest first, the open one as it stands now, stored yet or not."""
    if now is None:
        return stored
    return [now, *(one for one in stored if one.session_id != now.session_id)]


async def _whole(
    parts: Parts, source: str, visitor_id: str, live: dict[str, Any] | None, query: VisitorQuery
) -> dict[str, Any]:
    """Return the live state and the past, or refuse where there is neither."""
    past = (await parts.store.rows("visitor_past", source=source, visitor_id=visitor_id))[0]
    if live is None and not past["sessions"]:
        raise not_found("visitor", visitor_id, [source])
    shown = _with_cart(with_past(live or NOWHERE, past)) | {"past_known": True}
    if session := shown["open_session"]:
        row = (await sessions.joined(parts, [session]))[0]
        row["cart_outcome"] = await _cart_outcome(parts, shown["cart"], row) or row["cart_outcome"]
        shown["open_session"] = shape(row, Session)
    if query.timeline:
        rows = await sessions.of_visitor(parts, source, visitor_id, query.limit)
        stored = [shape(row, Session) for row in rows]
        shown["timeline"] = timeline(shown["open_session"], stored)[: query.limit]
    return shown


async def _now(
    parts: Parts, source: str, visitor_id: str, live: dict[str, Any], query: VisitorQuery
) -> dict[str, Any]:
    """Return the live state, and the past where storage tells it soon enough."""
    try:
        async with asyncio.timeout(parts.settings.past_patience_s):
            return await _whole(parts, source, visitor_id, live, query)
    except (UnavailableError, OverloadedError, TimeoutError):
        return await _alone(parts, live, query)


async def _alone(parts: Parts, live: dict[str, Any], query: VisitorQuery) -> dict[str, Any]:
    """Return the live state without storage: what only that knows is null, not guessed."""
    shown = _with_cart(live) | {"past_known": False}
    if session := shown["open_session"]:
        ended = await _cart_outcome(parts, shown["cart"], session)
        row = shape(session | {"cart_outcome": "", **money_of([], "")}, Session)
        unknown = {"cart_outcome": ended, "orders": None, "revenue": None}
        shown["open_session"] = msgspec.to_builtins(row) | unknown
    if query.timeline:
        shown["timeline"] = None
    return shown


def _with_cart(live: dict[str, Any]) -> dict[str, Any]:
    return live | {"cart": live["cart"] and shape(live["cart"], Cart)}


async def _cart_outcome(parts: Parts, cart: Cart | None, session: dict[str, Any]) -> str | None:
    """Return how the cart last touched in a session stands, None where only storage may know."""
    cart_id = session["cart_id"]
    if not cart_id:
        return "none"
    if cart is not None and cart.cart_id == cart_id:
        return cart.outcome
    now = await parts.live.cart(session["source"], session["visitor_id"], cart_id)
    return str(now["outcome"]) if now else None


@router.get("/v1/visitors/{visitor_id:path}/export")
async def export_visitor(
    visitor_id: str, query: Person, access: Reader, parts: PartsOf
) -> Response:
    """Hand out everything stored of a visitor, as one JSON document."""
    source = (await scope.one(parts, access, query.source)).name
    return await _document(parts, "visitor", visitor_id, source)


@router.get("/v1/visitors/{visitor_id:path}")
async def show_visitor(
    visitor_id: str, query: Annotated[VisitorQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """Show where a visitor stands now; an event shows within a second.

    Times are epoch milliseconds. Of a visitor who is not here now only the past is told. While
    storage is away or silent, what is live is told alone, with `past_known` false.
    """
    source = (await scope.one(parts, access, query.source)).name
    live = await parts.live.visitor(source, visitor_id)
    if live is None:
        known = await _whole(parts, source, visitor_id, live, query)
    else:
        known = await _now(parts, source, visitor_id, live, query)
    return json_answer({"source": source, "visitor_id": visitor_id, **known})


@router.get("/v1/users/{user_id:path}/export")
async def export_user(user_id: str, query: Person, access: Reader, parts: PartsOf) -> Response:
    """Hand out everything stored of a user, as one JSON document."""
    source = (await scope.one(parts, access, query.source)).name
    return await _document(parts, "user", user_id, source)


@router.delete("/v1/visitors/{visitor_id:path}")
async def erase_visitor(visitor_id: str, query: Person, access: Eraser, parts: PartsOf) -> Response:
    """Erase a visitor everywhere: log, state and storage. It cannot be undone."""
    source = (await scope.one(parts, access, query.source)).name
    gone = await parts.forget.forget(source, visitor_id=visitor_id)
    return json_answer({"source": source, "visitor_id": visitor_id, "erased": gone})


@router.delete("/v1/users/{user_id:path}")
async def erase_user(user_id: str, query: Person, access: Eraser, parts: PartsOf) -> Response:
    """Erase a user and what is linked to it everywhere. It cannot be undone."""
    source = (await scope.one(parts, access, query.source)).name
    gone = await parts.forget.forget(source, user_id=user_id)
    return json_answer({"source": source, "user_id": user_id, "erased": gone})


async def _document(parts: Parts, kind: str, name: str, source: str) -> Response:
    collect = of_visitor if kind == "visitor" else of_user
    found = await collect(parts, source, name)
    if not any(found.values()):
        raise not_found(kind, name, [source])
    head = {"source": source, f"{kind}_id": name, "exported_ms": parts.clock.now_ms()}
    attached = {"Content-Disposition": f'attachment; filename="{kind}.json"'}
    return json_answer(head | found, headers=attached)
