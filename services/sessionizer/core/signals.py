"""Signals: something to act on, each with an id that any replay makes again.

An id is made of the kind, the entity (the cart for cart and checkout signals, else the session)
and a discriminator: the stage of ``stage_entered``, the order of ``converted``, the first event of
a friction's pattern, else nothing (DESIGN, *Ids*). ``at_ms`` is the time of the event or deadline,
never that of the emission (docs/adr/0002, H).
"""

from typing import Any, Literal

from schemas import ids
from schemas.event import Event
from schemas.rows import SignalKind, SignalRow
from services.sessionizer.core.causes import causes_of_cart
from services.sessionizer.core.lines import value_of
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import common, products
from services.sessionizer.core.stages import STAGES, furthest, stage_name
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
    of_session(v, s, "stage_entered", at_ms, rules, out, discriminator=stage, stage=stage)


def session_left(
    v: Visitor,
    s: Session,
    kind: SignalKind,
    at_ms: int,
    causes: list[str],
    rules: SourceRules,
    out: Out,
) -> None:
    """Tell that a session closed as a bounce, or after browsing products with no cart touched."""
    stage = furthest(s.reached)
    of_session(v, s, kind, at_ms, rules, out, stage=stage, causes=causes, stated_reason=s.stated)


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
    details = {}
    if event.path:
        details["path"] = event.path
    if event.element:
        details["element"] = event.element
    of_session(
        v,
        s,
        FRICTIONS[place],
        event.ts_ms,
        rules,
        out,
        discriminator=first_event_id,
        stage=stage_name(s.current),
        details=details,
    )


def of_session(
    v: Visitor,
    s: Session,
    kind: SignalKind,
    at_ms: int,
    rules: SourceRules,
    out: Out,
    *,
    discriminator: str = "",
    **fields: Any,
) -> None:
    """Emit a signal whose entity is the session."""
    entity = text(s.id)
    out.signal(
        SignalRow(
            **common(v, s.dims, s.marks, rules, out),
            signal_id=ids.signal_id(kind, entity, discriminator),
            kind=kind,
            at_ms=at_ms,
            emitted_ms=out.clock_ms,
            session_id=entity,
            cart_id=text(s.cart),
            marketing_consent=v.consent,
            **fields,
        )
    )


def of_cart(
    v: Visitor,
    c: Cart,
    kind: CartSignal,
    at_ms: int,
    rules: SourceRules,
    out: Out,
    *,
    discriminator: str = "",
    **fields: Any,
) -> None:
    """Emit a signal whose entity is the cart, with all that is needed to write to the shopper."""
    entity = text(c.id)
    content: dict[str, Any] = {
        "stage": "intent",
        "value": value_of(c),
        "currency": c.currency,
        "lines": products(c.lines),
    }
    content.update(fields)
    out.signal(
        SignalRow(
            **common(v, c.dims, c.marks, rules, out),
            signal_id=ids.signal_id(kind, entity, discriminator),
            kind=kind,
            at_ms=at_ms,
            emitted_ms=out.clock_ms,
            session_id=text(c.session),
            cart_id=entity,
            cart_url=c.url,
            marketing_consent=v.consent,
            causes=causes_of_cart(c),
            stated_reason=c.stated,
            **content,
        )
    )
