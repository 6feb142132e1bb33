"""What a visitor's live state at rest holds open, and since when."""

from services.sessionizer.core.codec import Codec
from services.sessionizer.core.state import NEVER, unresolved


def open_since_ms(state: bytes | None) -> int:
    """Return the beginning of the open session or unresolved cart, whichever is older.

    ``state`` is a visitor's encoded state; without one, or with nothing open, ``NEVER``.
    """
    if state is None:
        return NEVER
    visitor = Codec().decode(state).visitor
    if visitor is None:
        return NEVER
    cart = unresolved(visitor)
    begun = [visitor.session.start_ms] if visitor.session is not None else []
    return min([*begun, cart.opened_ms] if cart is not None else begun, default=NEVER)


def has_open_session(state: bytes | None) -> bool:
    """Tell whether a visitor's encoded state has an open session."""
    if state is None:
        return False
    visitor = Codec().decode(state).visitor
    return visitor is not None and visitor.session is not None
