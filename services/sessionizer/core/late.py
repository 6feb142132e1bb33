"""Late orders: the one thing that takes back what was said (DESIGN, *The fold* 3; E6)."""

from msgspec.structs import replace

from schemas.event import Event
from services.sessionizer.core import signals
from services.sessionizer.core.carts import touch
from services.sessionizer.core.deadlines import forget_if_idle
from services.sessionizer.core.orders import (
    order_id_of,
    order_row,
    remember,
    tell_converted,
)
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import last_activity_ms
from services.sessionizer.core.sessions import is_past_buyer
from services.sessionizer.core.state import CONVERTED, RECOVERED, Cart, Visitor


def late_order(v: Visitor, event: Event, rules: SourceRules, out: Out) -> None:
    """Let an order that sorts before what was folded already act at once, on the last cart.

    Where that episode was open by then, has no order and had not ended before it, its outcome is
    set from the order's time, and every signal of it at or after that time is retracted: no buyer
    stays told that she left her cart. It splits no episode and touches no session; the nightly
    rebuild does the rest. Unless it is a copy that names another visitor, its order row is written.
    """
    foreign = event.visitor_id not in ("", v.visitor_id)
    t = event.ts_ms
    past_buyer = v.bought_ms is not None and v.bought_ms <= t and is_past_buyer(v, t, rules)
    cart = v.cart if remember(v, event, rules) else None
    if cart is not None and not _was_open(cart, t):
        cart = None
    if cart is not None:
        _convert(v, cart, event, rules, out)
    if not foreign:
        row = order_row(
            v, event, "order", rules, out, cart=cart, past_buyer=past_buyer, session=None
        )
        out.order(row)
        v.bought_ms = max(v.bought_ms or t, t)
    forget_if_idle(v)


def _was_open(cart: Cart, t_ms: int) -> bool:
    """Tell whether an order at this time can have been of this episode.

    What opens or empties a cart sorts before a purchase of the same time, and what is lost at a
    time after it.
    """
    if cart.order_id or cart.opened_ms > t_ms:
        return False
    emptied = cart.emptied_ms is not None and cart.emptied_ms <= t_ms
    return not emptied and not (cart.lost_ms is not None and cart.lost_ms < t_ms)


def _convert(v: Visitor, cart: Cart, event: Event, rules: SourceRules, out: Out) -> None:
    t = event.ts_ms
    _retract(v, cart, t, rules, out)
    touch(cart, event, None)
    former = cart.bucket_ms
    cart.last_ms = last_activity_ms(v, cart)
    cart.bucket_ms = min(cart.last_ms if former is None else former, t)
    if cart.abandoned_ms is not None and t <= cart.abandoned_ms:
        cart.abandoned_ms = cart.abandoned_value = cart.reopened_ms = None
        cart.causes = 0
    cart.lost_ms = cart.emptied_ms = None
    cart.recovered_ms = None if cart.abandoned_ms is None else t
    cart.outcome = CONVERTED if cart.abandoned_ms is None else RECOVERED
    cart.converted_ms = t
    cart.order_id = order_id_of(event)
    tell_converted(v, cart, event, rules, out)


def _retract(v: Visitor, cart: Cart, t_ms: int, rules: SourceRules, out: Out) -> None:
    """Take back every signal of the episode at or after a time."""

    def back(kind: signals.CartSignal, at_ms: int | None) -> None:
        if at_ms is not None and at_ms >= t_ms:
            row = signals.of_cart(v, cart, kind, at_ms, "", rules, out)
            out.signal(replace(row, retracted=True))

    back("checkout_abandoned", cart.checkout_abandoned_ms)
    back("cart_abandoned", cart.cart_abandoned_ms)
    back("cart_lost", cart.lost_ms)
    back("cart_emptied", cart.emptied_ms)
