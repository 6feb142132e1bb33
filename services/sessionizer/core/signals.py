"""Signals: something to act on, each with an id that any replay makes again.

An id is made of the kind, the entity (the cart for cart and checkout signals, else the session)
and a discriminator: the stage of ``stage_entered``, the order of ``converted``, the first event of
a friction's pattern, else nothing (DESIGN, *Ids*). ``at_ms`` is the time of the event or deadline,
never that of the emission (docs/adr/0002, H).
"""

from typing import Literal

from msgspec.structs import replace

from schemas import ids
from schemas.event import Event
from schemas.rows import STAGES, SignalKind, SignalRow
from services.sessionizer.core.causes import causes_of_cart
from services.sessionizer.core.lines import value_of
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import head, products, signal_of
from services.sessionizer.core.stages import furthest, stage_name
from services.sessionizer.core.state import FRICTIONS, Cart, Session, Visitor, text

CartSignal = Literal[
    "cart_abandoned",
    "checkout_abandoned",
    "cart_recovered",
    "cart_lost",
    "cart_emptied",
    "converted",
]


def stage_entered(
    v: Visitor, s: Session, place: int, at_ms: int, rules: SourceRules, out: Out
) -> None:
    """Tell that the session touched a stage, once a stage; skipped stages are not implied."""
    stage = STAGES[place]
    out.signal(of_session(v, s, "stage_entered", at_ms, stage, stage, rules, out))


def session_left(
    v: Visitor,
    s: Session,
    kind: Literal["bounce", "browse_abandoned"],
    at_ms: int,
    causes: list[str],
    rules: SourceRules,
    out: Out,
) -> None:
    """Tell that a session closed as a bounce, or after browsing products with no cart touched."""
    row = of_session(v, s, kind, at_ms, furthest(s.reached), "", rules, out)
    if causes or s.stated:
        row = replace(row, causes=causes, stated_reason=s.stated)
    out.signal(row)


def friction(
    v: Visitor,
    s: Session,
    place: int,
    first_event_id: str,
    event: Event,
    rules: SourceRules,
    out: Out,
) -> None:
    """Tell of a pattern of friction, at the event that completed it."""
    told = {"path": event.path, "element": event.element}
    stage, kind = stage_name(s.current), FRICTIONS[place]
    row = of_session(v, s, kind, event.ts_ms, stage, first_event_id, rules, out)
    out.signal(replace(row, details={name: value for name, value in told.items() if value}))


def of_session(
    v: Visitor,
    s: Session,
    kind: SignalKind,
    at_ms: int,
    stage: str,
    discriminator: str,
    rules: SourceRules,
    out: Out,
) -> SignalRow:
    """Return a signal whose entity is the session."""
    entity = text(s.id)
    return signal_of(
        *head(v, s.dims, s.marks, rules, out),
        ids.signal_id(kind, entity, discriminator),
        kind,
        at_ms,
        out.clock_ms,
        entity,
        text(s.cart),
        stage,
        None,  # value
        "",
        "",
        [],
        v.consent,
        [],
        "",
        {},
        False,
    )


def of_cart(
    v: Visitor,
    c: Cart,
    kind: CartSignal,
    at_ms: int,
    discriminator: str,
    rules: SourceRules,
    out: Out,
) -> SignalRow:
    """Return a signal whose entity is the cart, with all that is needed to write to the shopper."""
    entity = text(c.id)
    return signal_of(
        *head(v, c.dims, c.marks, rules, out),
        ids.signal_id(kind, entity, discriminator),
        kind,
        at_ms,
        out.clock_ms,
        text(c.session),
        entity,
        "intent",
        value_of(c),
        c.currency,
        c.url,
        products(c.lines),
        v.consent,
        causes_of_cart(c),
        c.stated,
        {},  # details
        False,
    )
