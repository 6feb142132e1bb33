"""Cart episodes: what a visitor put aside, from the first add until it is bought, emptied or lost.

DESIGN, *Carts*; what that leaves open is settled in docs/adr/0002, D.
"""

from msgspec.structs import replace

from schemas import ids
from schemas.event import Event
from services.sessionizer.core import checkout, signals
from services.sessionizer.core.activity import is_active
from services.sessionizer.core.lines import has_content, put, put_anew, take, value_of
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import cart_row, last_activity_ms
from services.sessionizer.core.sessions import is_past_buyer
from services.sessionizer.core.state import (
    ABANDONED,
    EMPTIED,
    LOST,
    OPEN,
    PAST_BUYER,
    Cart,
    Dims,
    Session,
    Visitor,
    raw,
    unresolved,
)


def open_episode(v: Visitor, event: Event, rules: SourceRules) -> Cart:
    """Begin an episode with the active event that opens it.

    An add to the cart does (also one that names no product), a ``cart_update`` with content, or a
    checkout without a cart; never a mere look at the cart, a removal or a coupon (D2).
    """
    session = v.session
    cart = Cart(
        id=raw(ids.cart_id(v.source, v.visitor_id, event.event_id)),
        session=b"",
        opened_ms=event.ts_ms,
        dims=session.dims if session else Dims(),
        currency=event.currency or rules.currency,
    )
    if is_past_buyer(v, event.ts_ms, rules):
        cart.marks = PAST_BUYER
    v.cart = cart
    v.due_ms = 0
    return cart


def touch(cart: Cart, event: Event, session: Session | None) -> None:
    """Let the open session and the episode name each other (D1, D7)."""
    if event.cart_id:
        cart.client_id = event.cart_id
    if event.cart_url:
        cart.url = event.cart_url
    if session is not None:
        session.cart = cart.id
        cart.session = session.id
        cart.dims = session.dims


def reopen(cart: Cart, t_ms: int) -> None:
    """Note the visitor's first active event after an abandonment; it unsays nothing (D10)."""
    if cart.outcome == ABANDONED and cart.reopened_ms is None:
        cart.reopened_ms = t_ms


def cart_add(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Put products into the cart; the first add opens an episode."""
    cart = unresolved(v) or open_episode(v, event, rules)
    touch(cart, event, v.session)
    currency = event.currency or rules.currency
    if not cart.lines:
        cart.currency = currency
    if event.products:
        put(cart, event.products, currency)
    return False


def cart_remove(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Take products out; removing the last line empties the cart."""
    cart = unresolved(v)
    if cart is None:
        return False
    touch(cart, event, v.session)
    if cart.lines and event.products:
        take(cart, event.products)
        if not cart.lines:
            _empty(v, cart, event, rules, out, before_ms)
    return False


def cart_update(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Let the stated products be the whole cart.

    A list replaces all lines, an empty one empties the cart, none leaves the lines as they are.
    """
    cart = unresolved(v)
    if has_content(event.products):
        cart = cart or open_episode(v, event, rules)
        put_anew(cart, event.products or (), event.currency or rules.currency)
    if cart is None:
        return False
    touch(cart, event, v.session)
    if event.products is not None and not has_content(event.products):
        _empty(v, cart, event, rules, out, before_ms)
    else:
        state_value(cart, event, rules)
    return False


def cart_view(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Look at the cart: it changes no line, but may state the cart's value."""
    cart = unresolved(v)
    if cart is not None:
        touch(cart, event, v.session)
        state_value(cart, event, rules)
    return False


def coupon(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Try a coupon on the cart, where there is one."""
    cart = unresolved(v)
    if cart is not None:
        touch(cart, event, v.session)
    return True


def checkout_event(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Begin or continue a checkout; without a cart, its products (if any) become one.

    An active ``checkout_start``, ``checkout_step``, ``payment_info`` or ``payment_failed`` begins
    the checkout; from then on 15 idle minutes abandon it (D8).
    """
    active = is_active(event, v.visitor_id)
    cart = unresolved(v)
    if cart is None:
        if not active:
            return True
        cart = open_episode(v, event, rules)
        put(cart, event.products or (), cart.currency)
    touch(cart, event, v.session)
    if event.type != "payment_failed":
        state_value(cart, event, rules)
    if active:
        checkout.begin(v, cart)
    return True


def state_value(cart: Cart, event: Event, rules: SourceRules) -> None:
    """Keep the value the storefront stated for the whole cart, in the cart's currency (D5, D6)."""
    if event.value is not None and (event.currency or rules.currency) == cart.currency:
        cart.stated_value = event.value


def _empty(
    v: Visitor, cart: Cart, event: Event, rules: SourceRules, out: Out, before_ms: int
) -> None:
    """Empty the cart: before any abandonment that ends the episode, after one only the lines go."""
    cart.lines = []
    cart.size = 0
    cart.stated_value = None
    if cart.outcome != OPEN:
        return
    cart.emptied_ms = event.ts_ms
    resolve(cart, EMPTIED, event.ts_ms, before_ms)
    out.cart(cart_row(v, cart, rules, out))
    out.signal(signals.of_cart(v, cart, "cart_emptied", event.ts_ms, "", rules, out))


def resolve(cart: Cart, outcome: int, last_ms: int, before_ms: int) -> None:
    """End the episode; it counts at the last activity before what first resolved it (D11)."""
    cart.outcome = outcome
    cart.last_ms = last_ms
    if cart.bucket_ms is None:
        cart.bucket_ms = before_ms


def abandon(v: Visitor, at_ms: int, rules: SourceRules, out: Out, *, checkout: bool) -> None:
    """Tell that the shopper is gone: 15 idle minutes after a checkout began, or 30 with a cart.

    Each is told at most once an episode. The first of the two makes the outcome ``abandoned`` and
    fixes when, what it was worth then, and the friction met until then; nothing later unsays it
    but an order that was placed before (D9).
    """
    cart = v.cart
    if cart is None:
        return
    if checkout:
        cart.checkout_abandoned_ms = at_ms
    else:
        cart.cart_abandoned_ms = at_ms
    if cart.abandoned_ms is None:
        cart.outcome = ABANDONED
        cart.abandoned_ms = at_ms
        cart.abandoned_value = value_of(cart)
        cart.causes = len(cart.friction)
        if cart.bucket_ms is None:
            cart.bucket_ms = last_activity_ms(v, cart)
        out.cart(cart_row(v, cart, rules, out))
    kind: signals.CartSignal = "checkout_abandoned" if checkout else "cart_abandoned"
    row = signals.of_cart(v, cart, kind, at_ms, "", rules, out)
    if checkout and cart.steps:
        row = replace(row, details={"checkout_step": cart.steps[-1]})
    out.signal(row)


def lose(v: Visitor, at_ms: int, rules: SourceRules, out: Out) -> None:
    """Give an abandoned cart up, seven days after it was first abandoned."""
    cart = v.cart
    if cart is None:
        return
    cart.lost_ms = at_ms
    resolve(cart, LOST, last_activity_ms(v, cart), at_ms)
    out.cart(cart_row(v, cart, rules, out))
    out.signal(signals.of_cart(v, cart, "cart_lost", at_ms, "", rules, out))
