"""Steps for what an event is: its type, its plain measures, and the marks it bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from schemas.event import EventType
from schemas.refusal import Refusal

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

TYPES = frozenset(get_args(EventType))
_PERCENT = 100
_COUNTRY_LETTERS = 2
_NO_COUNTRY = frozenset({"XX", "T1", "ZZ"})


def name_type(draft: Draft, _ctx: Context) -> Refusal | None:
    """Make an unknown type ``custom`` with it as name; a name it had goes to the properties."""
    kind = draft.get("type")
    if kind in TYPES:
        return None
    if kind is None:
        message = "an event says its type, such as page_view or cart_add"
        return Refusal("missing_field", "type", message, draft["event_id"])
    if draft.get("name"):
        draft.setdefault("properties", {}).setdefault("name", draft["name"])
    draft["type"], draft["name"] = "custom", kind
    return None


def survey(draft: Draft, _ctx: Context) -> Refusal | None:
    """See that an answer says of what kind of survey it is."""
    if "kind" in draft["survey"]:
        return None
    message = "survey.kind is missing: csat, nps, ces or open"
    return Refusal("missing_field", "survey.kind", message, draft["event_id"])


def scroll(draft: Draft, _ctx: Context) -> Refusal | None:
    """Take a depth above 1 as per cent."""
    if draft["scroll_depth"] > 1:
        draft["scroll_depth"] /= _PERCENT
    return None


def country(draft: Draft, _ctx: Context) -> Refusal | None:
    """Write two-letter country codes alike; drop what CDNs send for unknown."""
    code = draft.get("country", "").strip()
    if not code:  # a browser key's request may come without one
        draft.pop("country", None)
        return None
    code = code.upper() if len(code) == _COUNTRY_LETTERS else code
    draft["country"] = "" if code in _NO_COUNTRY else code
    return None


def from_browser(draft: Draft, ctx: Context) -> Refusal | None:
    """Take from a browser's own request what the event does not say: address, agent, country."""
    if ctx.key == "browser":
        for name, value in (("ip", ctx.client_ip), ("ua", ctx.ua), ("country", ctx.country)):
            if value and not draft.get(name):
                draft[name] = value
    return None


def key_marks(draft: Draft, ctx: Context) -> Refusal | None:
    """Mark what came with a test key, and orders that only a browser reported."""
    draft["source"] = ctx.site.name
    if ctx.sent_ms is not None:
        draft.setdefault("sent_ms", ctx.sent_ms)
    if ctx.key == "test":
        draft["test"] = True
    elif ctx.key == "browser" and ctx.provisional_orders and draft["type"] == "purchase":
        draft["provisional"] = True
    return None
