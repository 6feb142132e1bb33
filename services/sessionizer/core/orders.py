"""Orders: what was bought, refunded and cancelled, and what a purchase does to the cart (E).

An order is known by its ``order_id``, else by its event's id. Only a visitor's *first* purchase of
an order resolves a cart; the memory of an order lasts 365 days.
"""

import hashlib
from typing import Any

from msgspec.structs import replace

from schemas.event import Event
from schemas.rows import OrderRow, OrderRowKind
from services.sessionizer.core import signals
from services.sessionizer.core.carts import resolve, touch
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import cart_row, head, order_of
from services.sessionizer.core.sessions import is_past_buyer
from services.sessionizer.core.state import (
    BOUGHT,
    CONVERTED,
    PAST_BUYER,
    RECOVERED,
    Cart,
    Dims,
    Session,
    Visitor,
    text,
    unresolved,
)

MOST_ORDERS = 500
"""Orders remembered of one visitor; beyond it the oldest are forgotten."""


def order_id_of(event: Event) -> str:
    """Return the order an event belongs to, its own id where it names none (E1)."""
    return event.order_id or event.event_id


def purchase(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> None:
    """Take an order of this visitor: it resolves the unresolved episode, whole, all lines.

    Where the cart was never abandoned, or the order was placed by then, the cart is converted;
    within seven days after, the last millisecond included, it is recovered. With no episode the
    session it happened in converted. A repeat of an order changes no cart (E1, E2, E3).
    """
    past_buyer = is_past_buyer(v, event.ts_ms, rules)
    first = remember(v, event, rules)
    cart = unresolved(v) if first else None
    if cart is not None:
        convert(v, cart, event, rules, out, before_ms)
    elif first and v.session is not None:
        _tell_bare(v, v.session, event, rules, out)
    if v.session is not None:
        v.session.marks |= BOUGHT
    out.order(
        order_row(
            v, event, "order", rules, out, cart=cart, past_buyer=past_buyer, session=v.session
        )
    )
    if first:
        v.bought_ms = event.ts_ms


def foreign_purchase(v: Visitor, event: Event, rules: SourceRules, out: Out) -> None:
    """Take the copy of an order that another visitor placed: it changes this one's cart only (F5).

    So a laptop that pays for the phone's cart converts it, and nobody is told that she left it.
    """
    if not remember(v, event, rules):
        return
    cart = unresolved(v)
    if cart is not None:
        convert(v, cart, event, rules, out, v.session.last_ms if v.session else v.active_ms)


def refund(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Take a refund at its own time; it is capped at the order's value when read (E4)."""
    past_buyer = is_past_buyer(v, event.ts_ms, rules)
    out.order(order_row(v, event, "refund", rules, out, past_buyer=past_buyer, session=v.session))
    return False


def cancel(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Take the cancellation of an order at its own time (E4)."""
    past_buyer = is_past_buyer(v, event.ts_ms, rules)
    out.order(order_row(v, event, "cancel", rules, out, past_buyer=past_buyer, session=v.session))
    return False


def convert(
    v: Visitor, cart: Cart, event: Event, rules: SourceRules, out: Out, before_ms: int
) -> None:
    """Resolve an episode by an order: ``converted``, or ``recovered`` after an abandonment (E2)."""
    t = event.ts_ms
    own = event.visitor_id in ("", v.visitor_id)
    touch(cart, event, v.session if own else None)
    if cart.abandoned_ms is not None:
        cart.recovered_ms = t
    cart.converted_ms = t
    cart.order_id = order_id_of(event)
    last_ms = v.session.last_ms if v.session is not None else v.active_ms
    resolve(cart, CONVERTED if cart.abandoned_ms is None else RECOVERED, last_ms, before_ms)
    tell_converted(v, cart, event, rules, out)


def tell_converted(v: Visitor, cart: Cart, event: Event, rules: SourceRules, out: Out) -> None:
    """Emit the episode as an order resolved it, and the signals of that (H4)."""
    out.cart(cart_row(v, cart, rules, out))
    told = _of_order(event, rules)
    if not cart.lines:
        told["lines"] = list(event.products or ())
    if cart.recovered_ms is not None:
        row = signals.of_cart(v, cart, "cart_recovered", event.ts_ms, "", rules, out)
        out.signal(replace(row, **told))
    row = signals.of_cart(v, cart, "converted", event.ts_ms, cart.order_id, rules, out)
    out.signal(replace(row, **told))


def _tell_bare(v: Visitor, s: Session, event: Event, rules: SourceRules, out: Out) -> None:
    """Tell that a session converted without a cart (E2)."""
    order_id = order_id_of(event)
    row = signals.of_session(v, s, "converted", event.ts_ms, "purchase", order_id, rules, out)
    out.signal(replace(row, lines=list(event.products or ()), **_of_order(event, rules)))


def order_value(event: Event) -> int | None:
    """Return an order's value as stated, else the sum of its priced lines, else None (E3)."""
    if event.value is not None:
        return event.value
    prices = [p.price * p.quantity for p in event.products or () if p.price is not None]
    return sum(prices) if prices else None


def order_row(
    v: Visitor,
    event: Event,
    kind: OrderRowKind,
    rules: SourceRules,
    out: Out,
    *,
    cart: Cart | None = None,
    past_buyer: bool,
    session: Session | None,
) -> OrderRow:
    """Return an order, refund or cancel.

    How it came is told by the open session, else by the cart it resolved, else by the event (E3).
    """
    dims = session.dims if session else cart.dims if cart else _own_dims(v, event)
    begin = head(v, dims, PAST_BUYER if past_buyer else 0, rules, out)
    return order_of(
        *begin[:2],
        event.user_id or v.user_id,
        *begin[3:],
        order_id_of(event),
        event.event_id,
        event.ts_ms,
        kind,
        event.visitor_id == v.visitor_id,
        text(session.id) if session else "",
        text(cart.id) if cart else "",
        order_value(event) if kind == "order" else event.value,
        event.shipping,
        event.tax,
        event.discount,
        event.currency or rules.currency,
        list(event.products or ()),
        event.payment_method,
        event.provisional,
    )


def remember(v: Visitor, event: Event, rules: SourceRules) -> bool:
    """Remember the order for 365 days; tell whether this is its first purchase (A5, E1)."""
    oldest = event.ts_ms - rules.policy.cart.past_buyer_ms
    kept = v.orders
    while kept and (kept[1] < oldest or len(kept) > 2 * MOST_ORDERS):
        kept = kept[2:]
    digest = hashlib.sha256(order_id_of(event).encode()).digest()
    order = int.from_bytes(digest[:8], "big")
    first = order not in kept[::2]
    v.orders = [*kept, order, event.ts_ms] if first else kept
    return first


def _of_order(event: Event, rules: SourceRules) -> dict[str, Any]:
    told: dict[str, Any] = {"stage": "purchase", "details": {"order_id": order_id_of(event)}}
    value = order_value(event)
    if value is not None:
        told |= {"value": value, "currency": event.currency or rules.currency}
    return told


def _own_dims(v: Visitor, event: Event) -> Dims:
    return Dims(
        channel=event.channel,
        first_channel=v.first_channel,
        referrer=event.referrer,
        utm=event.utm,
        device=event.device,
        browser=event.browser,
        os=event.os,
        country=event.country,
        bot=event.bot,
        test=event.test,
        excluded=event.excluded,
        lasting=event.lasting,
        variants=event.variants or None,
        special=True,
    )
