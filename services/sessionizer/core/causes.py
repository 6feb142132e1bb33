"""Causes: what got in the shopper's way before leaving, as far as anything is known.

The friction met before an abandonment or a bounce, and nothing guessed: none found means an empty
list. What the shopper said stands beside it as ``stated_reason`` (DESIGN, *Friction*).
"""

from schemas.event import Event
from services.sessionizer.core.state import ABANDONED, FRICTIONS, Cart, Session, Visitor, unresolved

STATED = 200
"""How many characters of a shopper's comment are kept."""


def causes_of_cart(c: Cart) -> list[str]:
    """Return the friction met from the cart's opening until it was abandoned (D12)."""
    if c.abandoned_ms is None:
        return []
    return [FRICTIONS[place] for place in c.friction[: c.causes]]


def causes_of_session(v: Visitor, s: Session, *, left: bool) -> list[str]:
    """Return the friction of a session that bounced, left after browsing, or left a cart (C6)."""
    cart = v.cart
    gone = cart is not None and cart.outcome == ABANDONED and cart.id == s.cart
    return [FRICTIONS[place] for place in s.friction] if left or gone else []


def state_reason(v: Visitor, event: Event) -> None:
    """Keep the newest thing the shopper said, for the open session and the unresolved cart."""
    survey = event.survey
    if survey is None or not survey.comment:
        return
    said = survey.comment[:STATED]
    if v.session is not None:
        v.session.stated = said
    cart = unresolved(v)
    if cart is not None:
        cart.stated = said
