"""``/v1/explain/{id}``: which events, rule, threshold, clock and policy version made something.

The stored events of the visitor are folded again, so that an explanation never only repeats what
the row says: ``reproduced`` tells whether the rules of now, over the events stored now, say the
same.
"""

from typing import Any

import msgspec
from fastapi import APIRouter, Response

from schemas.event import Event
from services.common.answers import json_answer
from services.metrics_api import scope, sessions
from services.metrics_api.auth import Reader
from services.metrics_api.entity import Kind, find
from services.metrics_api.errors import not_found
from services.metrics_api.explain_events import between, folded, history, of_cart, same
from services.metrics_api.explain_rules import rule_of
from services.metrics_api.explain_text import told
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.shapes import Cart, Session, Signal, event_shape, shape
from services.sessionizer.core.batch import Rows
from services.sessionizer.core.policy import Policy

router = APIRouter(tags=["explain"])

Row = dict[str, Any]
KINDS: tuple[Kind, ...] = ("session", "cart", "signal")
OUTCOME_RULE = {
    "open": "cart",
    "abandoned": "cart_abandoned",
    "recovered": "cart_recovered",
    "lost": "cart_lost",
    "emptied": "cart_emptied",
    "converted": "converted",
}
ON_SESSIONS = frozenset({"bounce", "browse_abandoned"})
ON_CARTS = frozenset({"cart_abandoned", "checkout_abandoned", "cart_lost", "cart_emptied"})
MOST_SHOWN = 500


@router.get("/v1/explain/{entity_id}")
async def explain(entity_id: str, access: Reader, parts: PartsOf) -> Response:
    """Explain a session, cart or signal: its events, rule, thresholds, clock and policy.

    `text` says it in plain words. `reproduced` is false where events were erased, came late, or
    the policy has changed since.
    """
    kind, row = await _found(parts, scope.names(parts, access), entity_id)
    policy = parts.rules(row["source"]).policy
    events = await history(parts, row["source"], row["visitor_id"])
    again = await folded(parts, events)
    rule = rule_of(rule_name(kind, row, policy), policy)
    return json_answer(
        {
            "id": entity_id,
            "kind": kind,
            "entity": await _shaped(parts, kind, row),
            "text": told(kind, row, rule, policy),
            "rule": {"name": rule.name, "text": rule.text(policy)},
            "thresholds": rule.thresholds(policy),
            "clock": await _clock(parts, kind, row, policy),
            "policy_version": row["policy_version"],
            "policy_version_now": policy.version,
            "reproduced": same(row, _made_again(kind, entity_id, again)),
            "events": [
                event_shape(msgspec.to_builtins(event))
                for event in await _events(parts, kind, row, events)
            ],
        }
    )


def rule_name(kind: str, row: Row, policy: Policy) -> str:
    """Return the name of the rule that made a row what it is."""
    if kind == "signal":
        return str(row["kind"])
    if kind == "cart":
        waited = (row["abandoned_ms"] or 0) - (row["bucket_ms"] or 0)
        if row["outcome"] == "abandoned" and waited == policy.cart.checkout_idle_ms:
            return "checkout_abandoned"
        return OUTCOME_RULE[row["outcome"]]
    return "bounce" if row["bounced"] else "session"


async def _found(parts: Parts, sources: list[str], entity_id: str) -> tuple[Kind, Row]:
    for kind in KINDS:
        row = await find(parts, sources, kind, entity_id)
        if row is not None:
            return kind, row
    raise not_found("session, cart or signal", entity_id, sources)


async def _shaped(parts: Parts, kind: str, row: Row) -> msgspec.Struct:
    if kind == "session":
        return shape((await sessions.joined(parts, [row]))[0], Session)
    return shape(row, Cart if kind == "cart" else Signal)


def _made_again(kind: str, entity_id: str, rows: Rows) -> msgspec.Struct | None:
    made: dict[str, list[Any]] = {
        "session": rows.sessions,
        "cart": rows.carts,
        "signal": rows.signals,
    }
    name = f"{kind}_id"
    return next((one for one in made[kind] if getattr(one, name) == entity_id.lower()), None)


async def _clock(parts: Parts, kind: str, row: Row, policy: Policy) -> dict[str, Any]:
    """Return the times that decided: of the deadline or event, of the telling, and of now."""
    return {
        "decided_ms": _decided(kind, row),
        "emitted_ms": row.get("emitted_ms"),
        "grace_ms": policy.time.grace_ms,
        "log_clock_ms": await parts.live.clock_ms(),
    }


def _decided(kind: str, row: Row) -> int | None:
    """Return when it became what it is, None while it is open."""
    names = {"recovered": "recovered_ms", "lost": "lost_ms", "emptied": "emptied_ms"}
    names |= {"converted": "converted_ms", "abandoned": "abandoned_ms"}
    if kind == "cart":
        name = names.get(row["outcome"], "")
    else:
        name = "closed_ms" if kind == "session" else "at_ms"
    found: int | None = row.get(name)
    return found


async def _events(parts: Parts, kind: str, row: Row, events: list[Event]) -> list[Event]:
    """Return the events that made the row: a visit's, a cart's, or those at a signal's time."""
    if kind == "session":
        return _of_session(events, row)
    if kind == "cart":
        return of_cart(events, row)[-MOST_SHOWN:]
    if row["kind"] in ON_CARTS and row["cart_id"]:
        cart = await find(parts, [row["source"]], "cart", row["cart_id"])
        return between(of_cart(events, cart), 0, row["at_ms"])[-MOST_SHOWN:] if cart else []
    session = await find(parts, [row["source"]], "session", row["session_id"])
    if row["kind"] in ON_SESSIONS:
        return _of_session(events, session) if session else []
    first = session["started_ms"] if session else 0
    return _leading_to(between(events, first, row["at_ms"]), row)


def _of_session(events: list[Event], session: Row) -> list[Event]:
    last = session["ended_ms"] if session["closed_ms"] is None else session["closed_ms"]
    return between(events, session["started_ms"], last)[-MOST_SHOWN:]


def _leading_to(events: list[Event], row: Row) -> list[Event]:
    """Return the events at a signal's own time; a pattern's with the few that led to it."""
    shown = {"rage_click": 3, "form_struggle": 6, "loop": 8, "u_turn": 3}.get(row["kind"], 0)
    if shown:
        return events[-shown:]
    return [event for event in events if event.ts_ms == row["at_ms"]]
