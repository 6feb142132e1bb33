"""Ids: what is none, and the id an event without one gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from schemas.ids import event_id as id_of_content
from schemas.privacy import denies
from schemas.refusal import Refusal, Warned

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

NO_IDS = frozenset(
    {
        "",
        "-",
        "(not set)",
        "00000000-0000-0000-0000-000000000000",
        "[]",
        "[object object]",
        "{}",
        "anon",
        "anonymous",
        "distinct_id",
        "distinctid",
        "false",
        "guest",
        "id",
        "n/a",
        "na",
        "nan",
        "nil",
        "none",
        "not set",
        "not_authenticated",
        "null",
        "true",
        "undefined",
        "unknown",
        "visitor",
    }
)
"""What clients send for want of an id, whatever the case: many shoppers would become one."""

WHO_FIELDS = ("visitor_id", "user_id", "cart_id", "order_id")
"""An event names at least one of these."""

NO_USERS = frozenset({"0", "-1"})
"""What shop systems store as the user of a guest. (A visitor may well be numbered 0.)"""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NO_ID = max(map(len, NO_IDS))
_NOT_CONTENT = frozenset({"sent_ms", "ip"})
_ENCODE = msgspec.json.Encoder(order="sorted").encode


def is_no_id(value: str) -> bool:
    """Tell whether a text stands for the absence of an id."""
    return len(value) <= _LONGEST_NO_ID and value.lower() in NO_IDS


def who(draft: Draft, _ctx: Context) -> Refusal | None:
    """Keep the ids that are ids; refuse an event that names nobody."""
    named = False
    for name in WHO_FIELDS:
        value = draft.get(name)
        if value is None:
            continue
        value = draft[name] = value.strip()
        if is_no_id(value) or (name == "user_id" and value in NO_USERS):
            del draft[name]
        elif not value.isprintable() and _CONTROL.search(value):
            return Refusal("invalid_field", name, f"{name} holds a control character: {value!a}")
        else:
            named = True
    if named or (denies(draft) and ("ip" in draft or "ua" in draft)):
        return None
    return _nobody(draft)


def _nobody(draft: Draft) -> Refusal:
    return Refusal(
        "missing_id",
        "visitor_id",
        "an event names at least one of visitor_id, user_id, cart_id, order_id; texts such as"
        " 'null', 'undefined' or 'anonymous' are no ids",
        draft.get("event_id", ""),
    )


def event_id(draft: Draft, ctx: Context) -> Refusal | None:
    """Give an event without an id one: of its content if it has a client time, else a random one.

    DESIGN, *Event id*: the content is what was sent, without sending time and address; equal
    contents of one request or file are numbered, so that the same file gives the same ids.
    """
    value = draft.get("event_id", "").strip()
    if not is_no_id(value):
        draft["event_id"] = value
        return _checked(value)
    draft.pop("event_id", None)
    if "ts_ms" in draft or "timestamp" in draft:
        content = _ENCODE({k: v for k, v in draft.items() if k not in _NOT_CONTENT})
        seen = ctx.tally.occurrences
        number = seen[content] = seen.get(content, 0) + 1
        draft["event_id"] = id_of_content(content.decode(), number)
        return None
    draft["event_id"] = ""
    return None


def random_id(draft: Draft, ctx: Context) -> Refusal | None:
    """Give what has neither id nor time a random id, and say so."""
    if not draft["event_id"]:
        draft["event_id"] = ctx.new_id()
        message = "neither event_id nor time was given: sent again, the event would count twice"
        ctx.tally.warnings.append(Warned(draft["event_id"], "not_idempotent", message))
    return None


def _checked(value: str) -> Refusal | None:
    if value.isprintable() or not _CONTROL.search(value):
        return None
    return Refusal("invalid_field", "event_id", f"event_id holds a control character: {value!a}")
