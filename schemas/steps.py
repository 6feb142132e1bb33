"""The steps of normalisation, in order: one list, so that each can be read, timed and counted.

A step changes the draft it is given and nothing else, or refuses it. What a step needs is said
beside it, so that a draft runs through those steps alone that it needs: which, is worked out once
for each set of fields (a *plan*), not for each event.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from schemas import agent, amounts, identity, marks, place, privacy, times
from schemas.context import Context, KeyKind, Site
from schemas.reading import Form, form_of
from schemas.refusal import Refusal
from schemas.wire import Draft

Run = Callable[[Draft, Context], Refusal | None]
When = Callable[[Site, KeyKind], bool]


class Step(Struct, frozen=True):
    """One step: its name for counters, its function, and which drafts need it.

    Needed by: those with one of ``having`` (any, where it is empty) and none of ``lacking``, of
    sources and keys for which ``when`` holds. ``adds``: it ordinarily leaves what was sent as it
    is, and ``schemas.splice`` knows when.
    """

    name: str
    run: Run
    having: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    when: When | None = None
    adds: bool = False

    def is_needed(self, fields: frozenset[str], site: Site, key: KeyKind) -> bool:
        """Tell whether a draft of these fields, sent to the source with such a key, needs it."""
        if self.lacking & fields or (self.having and not self.having & fields):
            return False
        return self.when is None or self.when(site, key)


def _is_browser(_site: Site, key: KeyKind) -> bool:
    return key == "browser"


def _is_test(_site: Site, key: KeyKind) -> bool:
    return key == "test"


def _has_staff(site: Site, _key: KeyKind) -> bool:
    return bool(site.exclude_users or site.exclude_hosts)


_EVENT_ID = frozenset({"event_id"})
_TIME = frozenset({"ts_ms"})
_MONEY = frozenset({*amounts.AMOUNT_FIELDS, "products", "currency"})
_PAGE = frozenset({"url", "referrer"})
_UA = frozenset({"ua"})

STEPS: tuple[Step, ...] = (
    # First, for an id of the content must not depend on what follows.
    Step("content_id", identity.content_id, lacking=_EVENT_ID),
    Step("from_browser", marks.from_browser, when=_is_browser),
    Step("who", identity.who, lacking=frozenset(identity.WHO_FIELDS)),
    Step("visitor_name", identity.visitor_name, having=frozenset({"visitor_id"}), adds=True),
    Step("type", marks.name_type, adds=True),
    Step("timestamp", times.timestamp, having=frozenset({"timestamp"}), lacking=_TIME),
    Step("now", times.now, lacking=_TIME | {"timestamp"}),
    Step("sent", times.sent, having=frozenset({"sent_ms"})),
    Step("when", times.when, adds=True),
    Step("staff", privacy.staff, when=_has_staff),
    Step("page", place.page, having=_PAGE, lacking=place.TOLD, adds=True),
    Step("page_as_told", place.page_as_told, having=place.TOLD),
    Step("machine", place.machine, having=_UA, lacking=agent.MACHINE, adds=True),
    Step("machine_as_told", place.machine_as_told, having=agent.MACHINE),
    Step("currency", amounts.currency, having=_MONEY),
    Step("amounts", amounts.amounts, having=frozenset(amounts.AMOUNT_FIELDS)),
    Step("products", amounts.products, having=frozenset({"products"})),
    Step("cart_url", place.cart_url, having=frozenset({"cart_url"})),
    Step("scroll", marks.scroll, having=frozenset({"scroll_depth"})),
    Step("country", marks.country, having=frozenset({"country"})),
    Step("texts", privacy.texts, having=frozenset(privacy.TEXTS), adds=True),
    Step("typed_in", privacy.typed_in, having=frozenset(privacy.TYPED_IN)),
    Step("properties", privacy.properties, having=frozenset({"properties"})),
    # Last: who it was and from where, whole, is needed until here and no longer.
    Step("consent", privacy.consent, having=frozenset({"consent"})),
    Step("address", privacy.address, having=frozenset({"ip"})),
    Step("provisional", marks.provisional, when=_is_browser),
    Step("test", marks.test, when=_is_test),
    Step("random_id", identity.random_id, lacking=_EVENT_ID),
)


class Plan(Struct, frozen=True, gc=False):
    """What items with the same fields have in common: their form, and the steps they need.

    ``spliced``: their line can ordinarily be had without the steps; ``texts`` of theirs could hold
    what is masked.
    """

    form: Form
    steps: tuple[Step, ...]
    runs: tuple[Run, ...]
    spliced: bool
    texts: tuple[str, ...]


_PLANS = 4_096
_FROM_BROWSER = frozenset({"ip", "ua", "country"})
_SPLICED = frozenset({"event_id", "visitor_id", "ts_ms"})


def plan_for(fields: tuple[str, ...], site: Site, key: KeyKind) -> Plan:
    """Return the plan for items of these fields, kept with the source; at most some thousands."""
    plans: dict[tuple[str, ...], Plan] = site.memo[key]
    found = plans.get(fields)
    if found is None:
        present = frozenset(fields) | (_FROM_BROWSER if key == "browser" else frozenset())
        steps = tuple(step for step in STEPS if step.is_needed(present, site, key))
        found = Plan(
            form=form_of(fields),
            steps=steps,
            runs=tuple(step.run for step in steps),
            spliced=present >= _SPLICED and all(step.adds for step in steps),
            texts=tuple(name for name in fields if name in privacy.TEXTS),
        )
        if len(plans) >= _PLANS:
            plans.clear()
        plans[fields] = found
    return found
