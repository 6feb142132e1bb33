"""Friction: what got in a shopper's way, one small detector each (DESIGN, *Friction*; G).

A detector returns the first event of the pattern that the event completes, ``""`` for none. Each
pattern is told once, by a signal of the open session, and is then used up; the kinds are kept in
order of first occurrence on the session and on the unresolved episode, buyers' too. Several kinds
at one event are met in the order of ``schemas.rows.Friction``.
"""

from collections.abc import Callable

from schemas.event import Event
from services.sessionizer.core import checkout, clicks, signals, walks
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import (
    CHECKOUT,
    FRICTIONS,
    LONGEST_NAME,
    WALL_TOLD,
    Count,
    Visitor,
    unresolved,
)

Detector = Callable[[Visitor, Event, SourceRules], str]

MOST_FORMS = 20
"""Forms of one session whose errors are counted."""


def slow_page(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a page whose largest element took over 4 s to show, or that took over 5 s to load."""
    perf = event.perf
    if perf is None:
        return ""
    limits = rules.policy.friction
    slow = (perf.lcp_ms or 0) > limits.slow_lcp_ms or (perf.load_ms or 0) > limits.slow_load_ms
    return event.event_id if slow else ""


def always(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find what is friction by its type: an error, a dead click, a failed payment, a contact."""
    return event.event_id


def coupon_denied(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a coupon that was refused."""
    return event.event_id if event.coupon_status == "denied" else ""


def search_no_results(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a search that found nothing."""
    return event.event_id if event.results_count == 0 else ""


def out_of_stock(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a product that cannot be had: the event of that type, or any that says so."""
    return event.event_id if event.stock_out or event.type == "stock_out" else ""


def support_page(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a look at a help or contact page."""
    return event.event_id if event.page_kind == "support" else ""


def account_wall(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find an account page between the checkout's start and leaving, once an episode (G6)."""
    cart = unresolved(v)
    if event.page_kind != "account" or cart is None:
        return ""
    if cart.marks & (CHECKOUT | WALL_TOLD) != CHECKOUT:
        return ""
    cart.marks |= WALL_TOLD
    return event.event_id


def form_errors(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find three errors on one form, once a form and session; the first names the pattern."""
    form, session = event.form, v.session
    if session is None or form is None or not form.error:
        return ""
    if session.forms is None:
        session.forms = {}
    form_id = form.form_id[:LONGEST_NAME]
    seen = session.forms.get(form_id)
    if seen is None:
        if len(session.forms) >= MOST_FORMS:
            return ""
        seen = session.forms[form_id] = Count(0, event.event_id)
    seen.n += 1
    return seen.event_id if seen.n == rules.policy.friction.form_errors else ""


_PLACE = {kind: place for place, kind in enumerate(FRICTIONS)}
_STEP: tuple[tuple[int, Detector], ...] = (
    (_PLACE["unexpected_cost"], checkout.unexpected_cost),
    (_PLACE["form_struggle"], checkout.reentered),
)
_WALK: tuple[tuple[int, Detector], ...] = (
    (_PLACE["u_turn"], walks.u_turn),
    (_PLACE["loop"], walks.loop),
)
DETECTORS: dict[str, tuple[tuple[int, Detector], ...]] = {
    "page_view": (
        *_WALK,
        (_PLACE["account_wall"], account_wall),
        (_PLACE["support_sought"], support_page),
    ),
    "product_view": _WALK,
    "product_list_view": _WALK,
    "cart_view": _WALK,
    "click": ((_PLACE["rage_click"], clicks.rage_click),),
    "dead_click": ((_PLACE["dead_click"], always),),
    "error": ((_PLACE["error"], always),),
    "search": ((_PLACE["search_no_results"], search_no_results),),
    "coupon": ((_PLACE["coupon_denied"], coupon_denied),),
    "form_interaction": ((_PLACE["form_struggle"], form_errors),),
    "checkout_start": _STEP,
    "checkout_step": _STEP,
    "payment_info": _STEP,
    "payment_failed": (*_STEP, (_PLACE["payment_failed"], always)),
    "support": ((_PLACE["support_sought"], always),),
    "stock_out": ((_PLACE["out_of_stock"], out_of_stock),),
}
"""Which detectors can be triggered by a type, in the order of ``schemas.rows.Friction``."""
_SLOW = _PLACE["slow_page"]
_GONE = _PLACE["out_of_stock"]


def detect(v: Visitor, event: Event, rules: SourceRules, out: Out) -> None:
    """Find the patterns that an event completes, and tell of each once."""
    found = []
    if slow_page(v, event, rules):
        found.append((_SLOW, event.event_id))
    if event.stock_out:
        found.append((_GONE, event.event_id))
    for place, detector in DETECTORS.get(event.type, ()):
        first = detector(v, event, rules)
        if first and (place, first) not in found:
            found.append((place, first))
    found.sort()
    for place, first in found:
        meet(v, place, first, event, rules, out)


def meet(
    v: Visitor, place: int, first_event_id: str, event: Event, rules: SourceRules, out: Out
) -> None:
    """Record a friction on the open session and the unresolved cart, and tell of it."""
    cart = unresolved(v)
    if cart is not None and place not in cart.friction:
        cart.friction.append(place)
    session = v.session
    if session is not None:
        if place not in session.friction:
            session.friction.append(place)
        signals.friction(v, session, place, first_event_id, event, rules, out)
