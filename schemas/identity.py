"""Ids: what is none, and the id an event without one gets."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

from schemas.event import RESERVED
from schemas.ids import event_id as id_of_content
from schemas.privacy import denies
from schemas.refusal import Refusal, Warned, shown

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

ZERO_ID = "00000000-0000-0000-0000-000000000000"
NO_IDS = frozenset(
    {
        "",
        "-",
        "(not set)",
        ZERO_ID,
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

ID_FIELDS = ("event_id", *WHO_FIELDS)

NO_USERS = frozenset({"0", "-1"})
"""What shop systems store as the user of a guest. (A visitor may well be numbered 0.)"""

_CONTROL = re.compile(r"[\x00-\x1f]")
_NOT_CONTENT = frozenset({"sent_ms", "ip"})
_LIKE_TIME = frozenset(
    {"time", "ts", "date", "datetime", "time_ms", "created_at", "event_time", "occurred_at"}
)
"""Fields by which some mean an event's time; told to who says none."""
_ENCODE = msgspec.json.Encoder(order="sorted").encode
SUSPECT = NO_IDS | NO_USERS
"""Texts, in lower case, that may be no id: whether they are, depends on the field."""

LONGEST_NO_ID = max(map(len, SUSPECT - {ZERO_ID}))
"""A longer text is an id, unless it is ``ZERO_ID``."""


def tidied(draft: Draft) -> Draft | Refusal:
    """Return the draft with its ids stripped, and without those that are none."""
    for name in ID_FIELDS:
        value = draft.get(name)
        if value is None:
            continue
        value = draft[name] = value.strip()
        if value.lower() in NO_IDS or (name == "user_id" and value in NO_USERS):
            del draft[name]
        elif _CONTROL.search(value):
            message = f"{name} holds a control character: {shown(value)}"
            return Refusal("invalid_field", name, message, "" if name == "event_id" else _id(draft))
    return draft


def _id(draft: Draft) -> str:
    return str(draft.get("event_id", ""))


def who(draft: Draft, _ctx: Context) -> Refusal | None:
    """Refuse what names nobody, but for a shopper who does not want to be named."""
    if denies(draft) and ("ip" in draft or "ua" in draft):
        return None
    return Refusal(
        "missing_id",
        "visitor_id",
        "an event names at least one of visitor_id, user_id, cart_id, order_id; texts such as"
        " 'null', 'undefined' or 'anonymous' are no ids",
        _id(draft),
    )


def visitor_name(draft: Draft, _ctx: Context) -> Refusal | None:
    """Refuse a visitor who calls herself as carts, users and orders are addressed (ADR 2, F7)."""
    value = draft["visitor_id"]
    if not value.startswith(RESERVED):
        return None
    message = f"visitor_id must not begin with {' or '.join(RESERVED)} (got {shown(value)})"
    return Refusal("invalid_field", "visitor_id", message, _id(draft))


def content_id(draft: Draft, ctx: Context) -> Refusal | None:
    """Give an event without an id that of its content, if it has a client time.

    DESIGN, *Event id*: the content is what was sent, without sending time and address; equal
    contents of one request or file are numbered, so that the same file gives the same ids.
    """
    found = ""
    if "ts_ms" in draft or "timestamp" in draft:
        content = _ENCODE({k: v for k, v in draft.items() if k not in _NOT_CONTENT})
        digest = hashlib.blake2b(content, digest_size=16).digest()
        seen = ctx.tally.occurrences
        number = seen[digest] = seen.get(digest, 0) + 1
        found = id_of_content(content.decode(), number)
    draft["event_id"] = found
    return None


def _meant_as_time(draft: Draft) -> str:
    found = sorted(draft.get("properties", {}).keys() & _LIKE_TIME)
    return f"; {', '.join(found)}: no time of an event, kept among its properties" if found else ""


def random_id(draft: Draft, ctx: Context) -> Refusal | None:
    """Give what has neither id nor time a random id, and say so."""
    if not draft["event_id"]:
        draft["event_id"] = ctx.new_id()
        message = (
            "neither event_id nor time (timestamp or ts_ms) was given: sent again, the event would "
            f"count twice{_meant_as_time(draft)}"
        )
        ctx.tally.warnings.append(Warned(draft["event_id"], "not_idempotent", message))
    return None
