"""Checkout: when it began, how far it got, and what went wrong on the way (D8, G2, G3)."""

from schemas.event import Event
from schemas.money import exponents
from services.sessionizer.core.activity import is_active
from services.sessionizer.core.lines import priced_value
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import (
    CHECKOUT,
    COST_TOLD,
    LONGEST_NAME,
    Cart,
    Count,
    Visitor,
    unresolved,
)

STEP_OF_TYPE = {
    "checkout_start": "start",
    "checkout_step": "",
    "payment_info": "payment",
    "payment_failed": "payment",
}
"""The step an event belongs to where it names none."""
MOST_STEPS = 30
"""Distinct steps kept of one episode."""


def begin(v: Visitor, cart: Cart) -> None:
    """Note that the shopper is at the checkout: from now on 15 idle minutes mean it was left."""
    if not cart.marks & CHECKOUT:
        cart.marks |= CHECKOUT
        v.due_ms = 0
    if v.session is not None:
        v.session.marks |= CHECKOUT


def reentered(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Enter the step the event belongs to; the third re-entry of one step is a struggle.

    A re-entry is a checkout event whose step was entered before and is not the one the shopper is
    on. The furthest step is the one entered last for the first time: going back lowers nothing.
    Returns the first re-entry of the step, once a step and episode, else ``""`` (G3).
    """
    cart = unresolved(v)
    if cart is None or not is_active(event, v.visitor_id):
        return ""
    step = event.checkout_step[:LONGEST_NAME] or STEP_OF_TYPE[event.type]
    found = _reentry(cart, step, event, rules) if step else ""
    if v.session is not None:
        v.session.step = cart.steps[-1] if cart.steps else ""
    return found


def _reentry(cart: Cart, step: str, event: Event, rules: SourceRules) -> str:
    on, cart.step_now = cart.step_now, step
    if step not in cart.steps:
        if len(cart.steps) < MOST_STEPS:
            cart.steps.append(step)
        return ""
    if step == on:
        return ""
    if cart.reentries is None:
        cart.reentries = {}
    seen = cart.reentries.setdefault(step, Count(0, event.event_id))
    seen.n += 1
    return seen.event_id if seen.n == rules.policy.friction.step_reentries else ""


def unexpected_cost(v: Visitor, event: Event, rules: SourceRules) -> str:
    """Find a total more than 5 % and more than 1.00 above the cart's, once an episode.

    Both in the cart's currency, the cart's from its priced lines (G2).
    """
    cart = unresolved(v)
    total = event.value
    if (
        cart is None
        or total is None
        or cart.marks & COST_TOLD
        or not is_active(event, v.visitor_id)
    ):
        return ""
    limits = rules.policy.friction
    worth = priced_value(cart)
    if not worth or (event.currency or rules.currency) != cart.currency:
        return ""
    rise = total - worth
    major = 10 ** exponents().get(cart.currency, 2)
    if rise * 10_000 <= worth * round(limits.cost_rise * 10_000):
        return ""
    if rise <= limits.cost_rise_major * major:
        return ""
    cart.marks |= COST_TOLD
    return event.event_id
