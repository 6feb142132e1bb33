"""The visitor machine: a visitor's events in, in fold order; final rows and signals out.

Per event, in this order (docs/adr/0002, H1): deadlines that lie before it fire; the session is
opened or extended and the event counted; then what it does to cart and orders; then its stage;
then friction. A signal shows everything as it stands after the cart's step of its event.
Everything emitted is final: only a late order takes something back (DESIGN, *The fold* 5).
"""

from typing import Any

from msgspec import to_builtins

from schemas.event import Event
from schemas.rows import STAGES, CartRow
from services.sessionizer.core import carts, sessions, signals
from services.sessionizer.core.activity import UNSURE, is_active, is_foreign
from services.sessionizer.core.deadlines import advance, forget_if_idle, upcoming
from services.sessionizer.core.effects import EFFECTS, only_counted
from services.sessionizer.core.friction import detect, slow_page
from services.sessionizer.core.late import late_order
from services.sessionizer.core.orders import foreign_purchase
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import cart_row, session_row
from services.sessionizer.core.stages import ENGAGEMENT, PURCHASE, UNSTAGED, stage_of
from services.sessionizer.core.state import (
    MACHINE,
    NEVER,
    PAST_BUYER,
    SECOND,
    Session,
    Visitor,
    text,
    unresolved,
)

__all__ = [
    "Visitor",
    "advance",
    "emit_open",
    "fold",
    "is_idle",
    "late_order",
    "live",
    "live_cart",
    "new_visitor",
    "next_deadline",
    "stub",
]


def new_visitor(source: str, visitor_id: str) -> Visitor:
    """Return a visitor of whom nothing is known; ``visitor_id`` is the address folded at."""
    return Visitor(source=source, visitor_id=visitor_id)


# One straight path, for it is walked for every event and a call costs as much as what it does.
def fold(v: Visitor, event: Event, rules: SourceRules, out: Out) -> None:  # noqa: C901, PLR0912
    """Take the next event in fold order; the caller sees to the order and to repeats."""
    t = event.ts_ms
    if t > v.due_ms:
        advance(v, t, rules, out)
    kind = event.type
    active = kind not in UNSURE
    if not active:
        if is_foreign(event, v.visitor_id):
            foreign_purchase(v, event, rules, out)
            forget_if_idle(v)
            return
        active = is_active(event, v.visitor_id)
    session = v.session
    before_ms = v.active_ms if session is None else session.last_ms
    seen_ms = v.seen_ms if v.seen_ms > before_ms else before_ms  # noqa: FURB136 - half the time
    if not active:
        v.seen_ms = t
        if session is None:
            _fold_outside(v, event, rules, out)
            return
        session.passives += 1
    elif session is None:
        session = sessions.open_session(v, event, rules)
    else:
        session.last_ms = t
    session.events += 1
    policy = rules.policy
    if t - seen_ms >= SECOND and session.events <= policy.bots.per_session:
        if session.burst != 1:
            session.burst = 1
        machine = session.marks & MACHINE
    else:
        machine = sessions.is_machine(session, t, seen_ms, rules)
    if machine and kind != "purchase":
        only_counted(v, session, event, rules, out)
        return
    if (
        (active and (event.variants or not session.dims.complete))
        or event.bot
        or event.test
        or event.excluded
        or not event.lasting
    ):
        sessions.describe(v, session, event, active=active)
    if event.user_id or event.consent is not None:
        _know(v, event)
    if active and v.cart is not None:
        carts.reopen(v.cart, t)
    effect = EFFECTS.get(kind)
    closer = effect is not None and effect(v, event, rules, out, before_ms)
    place = stage_of(event, policy)
    if place >= 0 and place != ENGAGEMENT and place in session.reached:
        if place != session.current:
            session.current = place
    elif place >= 0 or session.events == 1:
        _enter(v, session, place, event, rules, out)
    if closer or event.stock_out or (event.perf is not None and slow_page(v, event, rules)):
        detect(v, event, rules, out)


def _fold_outside(v: Visitor, event: Event, rules: SourceRules, out: Out) -> None:
    """Take a passive event with no session open (A2).

    Only the unresolved episode, the orders, the user and the consent can change.
    """
    _know(v, event)
    effect = EFFECTS.get(event.type)
    if effect is not None:
        effect(v, event, rules, out, v.active_ms)
    detect(v, event, rules, out)
    forget_if_idle(v)


def _know(v: Visitor, event: Event) -> None:
    """Keep the newest user and marketing consent that the visitor's own events state (A7)."""
    if event.to:
        return
    if event.user_id:
        v.user_id = event.user_id
    if event.consent is not None and event.consent.marketing is not None:
        v.consent = event.consent.marketing


def _enter(v: Visitor, s: Session, place: int, event: Event, rules: SourceRules, out: Out) -> None:
    """Let the session touch the event's stage, and engagement where a past buyer comes back.

    A past buyer's visit keeps its ordinary stages; it is marked ``post_purchase`` and enters
    engagement once (DESIGN, *Event: Stage rules*; B2, B3, B4).
    """
    if place == ENGAGEMENT and not sessions.is_past_buyer(v, event.ts_ms, rules):
        place = UNSTAGED
    if place >= 0:
        s.current = place
        _reach(v, s, place, event, rules, out)
    if s.events == 1 and s.marks & PAST_BUYER:
        _reach(v, s, ENGAGEMENT, event, rules, out)


def _reach(v: Visitor, s: Session, place: int, event: Event, rules: SourceRules, out: Out) -> None:
    if place not in s.reached:
        s.reached.append(place)
        v.lifetime |= 1 << place
        signals.stage_entered(v, s, place, event.ts_ms, rules, out)


def next_deadline(v: Visitor, rules: SourceRules) -> int | None:
    """Return when something will happen because nothing does, None where nothing will."""
    at, _ = upcoming(v, rules)
    return at if at < NEVER else None


def emit_open(v: Visitor, rules: SourceRules, out: Out) -> None:
    """Emit the open session and the unresolved episode as they stand."""
    if v.session is not None:
        out.session(session_row(v, v.session, rules, out))
    cart = unresolved(v)
    if cart is not None:
        out.cart(cart_row(v, cart, rules, out))


def is_idle(v: Visitor) -> bool:
    """Tell whether there is neither an open session nor an unresolved episode."""
    return v.session is None and unresolved(v) is None


def stub(v: Visitor) -> Visitor:
    """Return what is kept of an idle visitor: its orders, and when it last bought (A5)."""
    return Visitor(
        source=v.source, visitor_id=v.visitor_id, bought_ms=v.bought_ms, orders=list(v.orders)
    )


def live(v: Visitor, rules: SourceRules) -> dict[str, Any]:
    """Return the visitor as it stands now, with the field names of the HTTP API (B6).

    ``current_stage`` and ``furthest_stage`` are the open session's, ``""`` where none is open;
    ``lifetime_stage`` is the highest of what is remembered, ``purchase`` for a past buyer.
    """
    quiet = _Unversioned()
    session = session_row(v, v.session, rules, quiet) if v.session else None
    cart = unresolved(v)
    return {
        "current_stage": session.current_stage if session else "",
        "furthest_stage": session.furthest_stage if session else "",
        "lifetime_stage": lifetime_stage(v, rules),
        "open_session": to_builtins(session),
        "cart": to_builtins(cart_row(v, cart, rules, quiet)) if cart else None,
        "last_event_ms": last_event_ms(v) or None,
        "next_deadline_ms": next_deadline(v, rules),
    }


def live_cart(v: Visitor, cart_id: str, rules: SourceRules) -> CartRow | None:
    """Return the visitor's newest episode as it stands now, None where it is another."""
    cart = v.cart
    if cart is None or text(cart.id) != cart_id:
        return None
    return cart_row(v, cart, rules, _Unversioned())


def last_event_ms(v: Visitor) -> int:
    """Return the time of the visitor's newest event, 0 where none is known."""
    return max(v.seen_ms, v.active_ms if v.session is None else v.session.last_ms)


def lifetime_stage(v: Visitor, rules: SourceRules) -> str:
    """Return the furthest stage of what is remembered of the visitor."""
    if v.bought_ms is not None and sessions.is_past_buyer(v, last_event_ms(v), rules):
        return STAGES[PURCHASE]
    ranked = v.lifetime & ~(1 << ENGAGEMENT)
    if ranked:
        return STAGES[ranked.bit_length() - 1]
    return STAGES[ENGAGEMENT] if v.lifetime else ""


class _Unversioned:
    """Rows that are only looked at need no version."""

    def version(self) -> int:
        return 0
