"""What each type of event does beyond its stage: one table, one small handler a type.

A handler answers whether the event may complete a pattern of friction; most cannot, and most
types have no handler at all.
"""

from collections.abc import Callable

from schemas.event import Event
from services.sessionizer.core import carts, clicks, orders, pages
from services.sessionizer.core.activity import is_active
from services.sessionizer.core.causes import state_reason
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import KEY, PRODUCT, Session, Visitor

Effect = Callable[[Visitor, Event, SourceRules, Out, int], bool]
"""All take the same, though most use three of them: visitor, event, rules, where what is told goes,
and when the visitor was last active before the event. So one line calls them all."""
HURDLES = frozenset({"account", "support"})
"""Page kinds that may be friction by themselves."""


def only_counted(v: Visitor, s: Session, event: Event, rules: SourceRules, out: Out) -> None:
    """Count a page view of a machine's session and keep its refunds, and do nothing else (C8)."""
    kind = event.type
    if kind == "page_view":
        s.views += 1
    elif kind in pages.KIND_OF_TYPE:
        s.other_views += 1
    elif kind == "refund":
        orders.refund(v, event, rules, out, 0)
    elif kind == "cancel":
        orders.cancel(v, event, rules, out, 0)


def page_view(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Count and note the page, and whether it showed a product."""
    s = v.session
    if s is None:
        return False
    s.views += 1
    if s.views == 1 and s.other_views:
        pages.discard(s)
    kind = event.page_kind
    if kind == "product":
        s.marks |= PRODUCT
    return pages.add(s, event, rules) or kind in HURDLES


def list_view(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Count a view that stands in for a page view where a session has none."""
    s = v.session
    if s is None:
        return False
    s.other_views += 1
    if s.views:
        return False
    return pages.add(s, event, rules)


def product_view(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Look at a product."""
    if v.session is not None:
        v.session.marks |= PRODUCT
    return list_view(v, event, rules, out, before_ms)


def cart_view(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Look at the cart."""
    closer = list_view(v, event, rules, out, before_ms)
    carts.cart_view(v, event, rules, out, before_ms)
    return closer


def page_leave(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Add up the time a shopper was engaged."""
    if v.session is not None:
        pages.leave(v.session, event)
    return False


def key_event(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Note what makes a visit engaged by itself: sign-up, survey answer, checkout, purchase."""
    if v.session is not None and is_active(event, v.visitor_id):
        v.session.marks |= KEY
    return False


def survey(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Keep what the shopper said."""
    state_reason(v, event)
    return key_event(v, event, rules, out, before_ms)


def checkout_start(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Begin a checkout."""
    key_event(v, event, rules, out, before_ms)
    return carts.checkout_event(v, event, rules, out, before_ms)


def purchase(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Take an order."""
    key_event(v, event, rules, out, before_ms)
    orders.purchase(v, event, rules, out, before_ms)
    return False


def click(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Note a click that may be one of an angry three."""
    return v.session is not None and clicks.note(v.session, event, rules)


def search(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Search the shop."""
    return event.results_count == 0


def form_interaction(
    v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int
) -> bool:
    """Touch a field of a form."""
    return event.form is not None and event.form.error != ""


def look(v: Visitor, event: Event, rules: SourceRules, out: Out, before_ms: int) -> bool:
    """Do nothing but look for friction."""
    return True


EFFECTS: dict[str, Effect] = {
    "page_view": page_view,
    "page_leave": page_leave,
    "product_view": product_view,
    "product_list_view": list_view,
    "cart_add": carts.cart_add,
    "cart_remove": carts.cart_remove,
    "cart_update": carts.cart_update,
    "cart_view": cart_view,
    "checkout_start": checkout_start,
    "checkout_step": carts.checkout_event,
    "payment_info": carts.checkout_event,
    "payment_failed": carts.checkout_event,
    "coupon": carts.coupon,
    "purchase": purchase,
    "refund": orders.refund,
    "cancel": orders.cancel,
    "signup": key_event,
    "survey_response": survey,
    "click": click,
    "dead_click": look,
    "error": look,
    "search": search,
    "form_interaction": form_interaction,
    "support": look,
    "stock_out": look,
}
"""Event type to handler; a type that is not here only counts, and may be staged."""
