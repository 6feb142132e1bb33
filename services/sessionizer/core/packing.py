"""A visitor packed for rest and taken out again: times as differences, common texts as numbers.

Every tuple made here is one of the structs beside it; the order of their fields is the format.
What is mostly at its default stands last, and is left off together where all of it is. Nothing
that follows from the rest is kept: whether all dimensions are known, and when the next deadline is
(that is worked out anew). Carts rest as they are.
"""

from functools import lru_cache

from msgspec import Struct

from schemas.event import Utm
from services.sessionizer.core.state import (
    Cart,
    Click,
    Count,
    Dims,
    Page,
    Session,
    Step,
    Visitor,
)
from services.sessionizer.core.texts import Code, of_code, to_code


class PackedDims(Struct, frozen=True, array_like=True, gc=False):
    """Dimensions with their texts as numbers."""

    channel: Code
    first_channel: Code
    device: Code
    browser: Code
    os: Code
    country: Code
    referrer: str = ""
    utm: Utm | None = None
    bot: bool = False
    test: bool = False
    excluded: bool = False
    lasting: bool = True
    variants: dict[str, str] | None = None
    special: bool = False


class PackedSession(Struct, frozen=True, array_like=True, gc=False):
    """A session; ``began`` and ``last`` are milliseconds from the frontier back."""

    id: bytes
    began: int
    last: int
    dims: PackedDims
    marks: int
    events: int
    passives: int
    views: int
    current: int
    reached: list[int]
    pages: list[Page]
    steps: list[Step]
    clicks: list[Click] | None
    other_views: int
    engaged_ms: int
    page_engaged_ms: int
    friction: list[int]
    cart: bytes
    burst: int = 1
    step: str = ""
    turned: int = 0
    looped: int = 0
    forms: dict[str, Count] | None = None
    stated: str = ""
    over_ms: int = -1
    exit_path: str = ""
    page_bytes: int = 0


class PackedVisitor(Struct, frozen=True, array_like=True, gc=False):
    """A visitor; ``seen`` is milliseconds from the frontier back, None for never."""

    session: PackedSession | None
    seen: int | None
    first_channel: Code
    user_id: str
    lifetime: int
    active_ms: int = 0
    consent: bool | None = None
    cart: Cart | None = None
    bought_ms: int | None = None
    orders: list[int] = []


Packed = tuple[object, ...]


def pack(v: Visitor, at_ms: int) -> Packed:
    """Return a visitor packed as of the frontier's time, without the names that its key holds."""
    session = v.session
    common = (
        None if session is None else _pack_session(session, at_ms),
        at_ms - v.seen_ms if v.seen_ms else None,
        to_code(v.first_channel),
        v.user_id,
        v.lifetime,
    )
    if v.active_ms or v.cart or v.orders or v.consent is not None or v.bought_ms is not None:
        return (*common, v.active_ms, v.consent, v.cart, v.bought_ms, v.orders)
    return common


def unpack(p: PackedVisitor, at_ms: int) -> Visitor:
    """Return the visitor as it was, of no name and with its deadline to be worked out."""
    return Visitor(
        "",
        "",
        0,
        0 if p.seen is None else at_ms - p.seen,
        p.active_ms,
        p.user_id,
        p.consent,
        of_code(p.first_channel),
        p.lifetime,
        None if p.session is None else _unpack_session(p.session, at_ms),
        p.cart,
        p.bought_ms,
        p.orders,
    )


def _pack_session(s: Session, at_ms: int) -> Packed:
    common = (
        s.id,
        at_ms - s.start_ms,
        at_ms - s.last_ms,
        _pack_dims(s.dims),
        s.marks,
        s.events,
        s.passives,
        s.views,
        s.current,
        s.reached,
        s.pages,
        s.steps,
        s.clicks,
        s.other_views,
        s.engaged_ms,
        s.page_engaged_ms,
        s.friction,
        s.cart,
    )
    rarely = s.step or s.stated or s.forms or s.turned or s.looped or s.page_bytes
    if not rarely and s.burst == 1 and s.over_ms < 0:
        return common
    walked = (s.burst, s.step, s.turned, s.looped, s.forms, s.stated)
    return (*common, *walked, s.over_ms, s.exit_path, s.page_bytes)


def _unpack_session(p: PackedSession, at_ms: int) -> Session:
    return Session(
        p.id,
        at_ms - p.began,
        at_ms - p.last,
        _unpack_dims(p.dims),
        p.marks,
        p.events,
        p.passives,
        p.burst,
        p.views,
        p.other_views,
        p.engaged_ms,
        p.current,
        p.reached,
        p.pages,
        p.page_engaged_ms,
        p.over_ms,
        p.exit_path,
        p.page_bytes,
        p.cart,
        p.step,
        p.friction,
        p.stated,
        p.steps,
        p.turned,
        p.looped,
        p.clicks,
        p.forms,
    )


def _pack_dims(d: Dims) -> Packed:
    common = _codes(d.channel, d.first_channel, d.device, d.browser, d.os, d.country)
    if not (d.special or d.referrer):
        return common
    rare = (d.referrer, d.utm, d.bot, d.test, d.excluded, d.lasting, d.variants, d.special)
    return common + rare


# Kept, for few combinations make up most visits.
@lru_cache(maxsize=4096)
def _codes(*texts: str) -> tuple[Code, ...]:
    return tuple(map(to_code, texts))


def _unpack_dims(p: PackedDims) -> Dims:
    known = tuple(map(of_code, (p.channel, p.device, p.browser, p.os, p.country)))
    channel, device, browser, os, country = known
    return Dims(
        channel,
        of_code(p.first_channel),
        p.referrer,
        p.utm,
        device,
        browser,
        os,
        country,
        p.bot,
        p.test,
        p.excluded,
        p.lasting,
        p.variants,
        p.special,
        all(known),
    )
