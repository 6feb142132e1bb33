"""Deadlines: what happens because nothing happened (DESIGN, *The fold* 2; D9, I2).

A deadline at t comes after every event of t. Of equal ones the order is: checkout abandoned, cart
abandoned, cart lost, session closed.
"""

from services.sessionizer.core import carts, sessions
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import CHECKOUT, NEVER, Cart, Visitor, unresolved

NOTHING, CHECKOUT_LEFT, CART_LEFT, CART_LOST, SESSION_OVER = range(5)


def upcoming(v: Visitor, rules: SourceRules) -> tuple[int, int]:
    """Return the next deadline's time and what it is; ``NEVER`` and ``NOTHING`` where none is."""
    session = v.session
    last = v.active_ms if session is None else session.last_ms
    at, what = NEVER, NOTHING
    cart = unresolved(v)
    if cart is not None:
        at, what = _of_cart(cart, last, rules)
    if session is not None:
        policy = rules.policy.session
        over = min(last + policy.gap_ms, session.start_ms + policy.max_ms)
        if over < at:
            return over, SESSION_OVER
    return at, what


def _of_cart(cart: Cart, last_ms: int, rules: SourceRules) -> tuple[int, int]:
    policy = rules.policy.cart
    at, what = NEVER, NOTHING
    if cart.marks & CHECKOUT and cart.checkout_abandoned_ms is None:
        at, what = last_ms + policy.checkout_idle_ms, CHECKOUT_LEFT
    if cart.cart_abandoned_ms is None and last_ms + policy.idle_ms < at:
        at, what = last_ms + policy.idle_ms, CART_LEFT
    if cart.abandoned_ms is not None and cart.abandoned_ms + policy.recovery_ms < at:
        at, what = cart.abandoned_ms + policy.recovery_ms, CART_LOST
    return at, what


def advance(v: Visitor, t_ms: int, rules: SourceRules, out: Out) -> None:
    """Fire every deadline strictly before a time, in time order, and note when the next is due."""
    while True:
        at, what = upcoming(v, rules)
        if at >= t_ms:
            v.due_ms = at
            return
        if what == SESSION_OVER:
            sessions.close(v, at, rules, out)
        elif what == CART_LOST:
            carts.lose(v, at, rules, out)
        else:
            carts.abandon(v, at, rules, out, checkout=what == CHECKOUT_LEFT)
        forget_if_idle(v)


def forget_if_idle(v: Visitor) -> None:
    """Forget everything but the orders of a visitor with no open session and unresolved episode.

    So a number never depends on when the rest of an idle visitor was dropped (A5).
    """
    if v.session is None and unresolved(v) is None:
        v.cart = None
        v.active_ms = 0
        v.user_id = ""
        v.consent = None
        v.first_channel = ""
        v.lifetime = 0
