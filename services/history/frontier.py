"""Where the oldest thing begins that a visitor's live state holds open."""

from services.history.cut import NEVER
from services.sessionizer.core.codec import Codec
from services.sessionizer.core.state import unresolved


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
