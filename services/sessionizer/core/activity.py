"""Active and passive: which events come from the shopper (DESIGN, *Words: event*; A1)."""

from schemas.event import Event

PASSIVE = frozenset(
    {
        "page_leave",
        "performance",
        "error",
        "refund",
        "cancel",
        "identify",
        "email_open",
        "email_click",
        "support",
    }
)
"""Never open or extend a session, nor count as activity."""
BY_ORIGIN = frozenset({"purchase", "payment_info", "payment_failed", "survey_response"})
"""Passive where the shop's server reports them, such as by a webhook."""
UNSURE = PASSIVE | BY_ORIGIN


def is_active(event: Event, address: str) -> bool:
    """Tell whether the event comes from the visitor of this address, whoever reports it.

    Performance, errors, refunds, cancels, identification, page leaves, e-mail and support events
    are passive; so are a purchase, payment or survey answer that a server reports, and a copy of
    an order that does not name the visitor. Passive events attach to the session open at their
    place, or to the cart they belong to, and can raise its stage, but never open or extend a
    session.
    """
    kind = event.type
    if kind not in UNSURE:
        return True
    if kind not in BY_ORIGIN or event.origin == "server":
        return False
    return kind != "purchase" or event.visitor_id == address


def is_foreign(event: Event, address: str) -> bool:
    """Tell whether this is the copy of an order that names another visitor (F5)."""
    return event.type == "purchase" and event.visitor_id not in ("", address)
