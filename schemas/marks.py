"""Steps for what an event is: its type, its plain measures, and the marks it bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from schemas.event import EventType
from schemas.masking import mask

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.refusal import Refusal
    from schemas.wire import Draft

TYPES = frozenset(get_args(EventType))
_PERCENT = 100
_COUNTRY_LETTERS = 2
_NO_COUNTRY = frozenset({"XX", "T1", "ZZ"})


def name_type(draft: Draft, _ctx: Context) -> Refusal | None:
    """Make an unknown type ``custom`` with it as name; a name it had goes to the properties."""
    if draft["type"] in TYPES:
        return None
    if "name" in draft:
        draft.setdefault("properties", {}).setdefault("name", mask(draft["name"]))
    draft["name"], draft["type"] = mask(draft["type"]), "custom"
    return None


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
    """Take from a browser's own request what the event does not say: address, agent, country.

    What a browser reports comes from the client, whatever it claims: with ``origin: server`` its
    purchase would be a passive one and open no visit.
    """
    draft.pop("origin", None)
    for name, value in (("ip", ctx.client_ip), ("ua", ctx.ua), ("country", ctx.country)):
        if value and not draft.get(name):
            draft[name] = value
    return None


def provisional(draft: Draft, ctx: Context) -> Refusal | None:
    """Mark an order that only a browser reported."""
    if ctx.provisional_orders and draft["type"] == "purchase":
        draft["provisional"] = True
    return None


def test(draft: Draft, _ctx: Context) -> Refusal | None:
    """Mark what came with a test key."""
    draft["test"] = True
    return None
