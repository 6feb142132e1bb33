"""The steps of normalisation, in order: one list, so that each can be read, timed and counted.

A step changes the draft it is given and nothing else, or refuses it. ``fields`` are its inputs: a
step runs if the draft has one of them, or always where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from schemas import amounts, identity, marks, place, privacy, times
from schemas.context import Context
from schemas.refusal import Refusal
from schemas.wire import Draft

Run = Callable[[Draft, Context], Refusal | None]


class Step(Struct, frozen=True):
    """One step: its name for counters, its function, and the fields that call for it."""

    name: str
    run: Run
    fields: frozenset[str] = frozenset()


_MONEY = frozenset({*amounts.AMOUNT_FIELDS, "products", "currency"})
_ARRIVAL = frozenset({"url", "referrer", "utm"})

STEPS: tuple[Step, ...] = (
    # First, for an id of the content must not depend on what follows.
    Step("event_id", identity.event_id),
    Step("from_browser", marks.from_browser),
    Step("who", identity.who),
    Step("type", marks.name_type),
    Step("time", times.when),
    Step("key_marks", marks.key_marks),
    Step("staff", privacy.staff),
    Step("page", place.page, frozenset({"url"})),
    Step("path", place.kind_of_path, frozenset({"path"})),
    Step("arrival", place.arrival, _ARRIVAL),
    Step("machine", place.machine, frozenset({"ua"})),
    Step("currency", amounts.currency, _MONEY),
    Step("amounts", amounts.amounts, frozenset(amounts.AMOUNT_FIELDS)),
    Step("products", amounts.products, frozenset({"products"})),
    Step("cart_url", privacy.own_urls, frozenset({"cart_url"})),
    Step("survey", marks.survey, frozenset({"survey"})),
    Step("scroll", marks.scroll, frozenset({"scroll_depth"})),
    Step("country", marks.country, frozenset({"country"})),
    Step("typed_in", privacy.typed_in, frozenset({"survey", "form", "error"})),
    Step("properties", privacy.properties, frozenset({"properties"})),
    # Last: who it was and from where must not outlive a refusal of consent.
    Step("consent", privacy.consent, frozenset({"consent"})),
    Step("address", privacy.address, frozenset({"ip"})),
    Step("random_id", identity.random_id),
)


@lru_cache(maxsize=4_096)
def plan(fields: tuple[str, ...], key: str) -> tuple[Step, ...]:
    """Return the steps that a draft of these fields needs, sent with this kind of key."""
    present = set(fields)
    if key == "browser":
        present |= {"ip", "ua", "country"}
    return tuple(step for step in STEPS if not step.fields or step.fields & present)
