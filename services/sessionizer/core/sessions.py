"""Sessions: when a visit begins and ends, what it counts, and whether it was a bounce."""

from msgspec.structs import replace

from schemas import ids
from schemas.event import Event
from services.sessionizer.core import signals
from services.sessionizer.core.causes import causes_of_session
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.rows import Closing, page_views, session_row
from services.sessionizer.core.state import (
    BOUGHT,
    KEY,
    MACHINE,
    PAST_BUYER,
    PRODUCT,
    SECOND,
    Dims,
    Session,
    Visitor,
    raw,
)


def is_past_buyer(v: Visitor, t_ms: int, rules: SourceRules) -> bool:
    """Tell whether the visitor bought something in the 365 days before, the last included (A6)."""
    return v.bought_ms is not None and t_ms - v.bought_ms <= rules.policy.cart.past_buyer_ms


def open_session(v: Visitor, event: Event, rules: SourceRules) -> Session:
    """Begin a session with its first active event.

    A session is a visitor's active events with no gap longer than 30 minutes: exactly
    1,800.000 s stays, more splits; so does an event more than 24 h after the start. Midnight and a
    new campaign split nothing. Passive events never open a session (DESIGN, *Session*).
    """
    t = event.ts_ms
    s = Session(
        id=raw(ids.session_id(v.source, v.visitor_id, event.event_id)),
        start_ms=t,
        last_ms=t,
        dims=Dims(first_channel=v.first_channel),
    )
    if is_past_buyer(v, t, rules):
        s.marks = PAST_BUYER
    v.session = s
    v.due_ms = 0
    return s


def is_machine(s: Session, t_ms: int, before_ms: int, rules: SourceRules) -> bool:
    """Tell whether a session is a machine's, from its newest event and the time of the one before.

    It is from the 101st event in one UTC second or the 5,001st of the session on, in fold order
    and up to its end: then its events are only counted, but purchases still act (DESIGN, *Bots by
    rate*; C8).
    """
    if s.events > 1 and t_ms // SECOND == before_ms // SECOND:
        s.burst += 1
    else:
        s.burst = 1
    bots = rules.policy.bots
    if not s.marks & MACHINE and (s.burst > bots.per_second or s.events > bots.per_session):
        s.marks |= MACHINE
        s.dims = replace(s.dims, bot=True, special=True)
    return s.marks & MACHINE != 0


def describe(v: Visitor, s: Session, event: Event, *, active: bool) -> None:
    """Learn how the visit came, on what, and whether it counts, from an attached event.

    Channel, referrer and campaign come together, from the first active event that has a channel;
    device, browser, system and country each from the first active event that states it; of an
    experiment the first arm seen wins. One event of a bot, a test, of excluded traffic or without
    a lasting id marks the whole session (C5).
    """
    d = s.dims
    if active and (
        (not d.channel and event.channel)
        or (not d.device and event.device)
        or (not d.browser and event.browser)
        or (not d.os and event.os)
        or (not d.country and event.country)
        or event.variants
    ):
        d = _described(v, d, event)
        s.dims = d
    if (
        (event.bot and not d.bot)
        or (event.test and not d.test)
        or (event.excluded and not d.excluded)
        or (d.lasting and not event.lasting)
    ):
        s.dims = replace(
            d,
            bot=d.bot or event.bot,
            test=d.test or event.test,
            excluded=d.excluded or event.excluded,
            lasting=d.lasting and event.lasting,
            special=True,
        )


def _described(v: Visitor, d: Dims, event: Event) -> Dims:
    came = not d.channel and event.channel != ""
    if came and not v.first_channel:
        v.first_channel = event.channel
    channel = d.channel or event.channel
    device, browser = d.device or event.device, d.browser or event.browser
    os, country = d.os or event.os, d.country or event.country
    utm = event.utm if came else d.utm
    variants = event.variants | (d.variants or {}) if event.variants else d.variants
    return Dims(
        channel=channel,
        first_channel=v.first_channel,
        referrer=event.referrer if came else d.referrer,
        utm=utm,
        device=device,
        browser=browser,
        os=os,
        country=country,
        bot=d.bot,
        test=d.test,
        excluded=d.excluded,
        lasting=d.lasting,
        variants=variants,
        special=d.special or utm is not None or variants is not None,
        complete=bool(channel and device and browser and os and country),
    )


def is_engaged(s: Session, rules: SourceRules) -> bool:
    """Tell whether a visit was more than a glance.

    It lasted longer than 10 s from first to last active event; or has two page views; or an active
    key event (purchase, signup, checkout start, survey answer); or its page_leave events state
    more than 10 s of engagement in sum (DESIGN, *Engaged*).
    """
    rule = rules.policy.session
    return (
        s.last_ms - s.start_ms > rule.engaged_ms
        or page_views(s) >= rule.engaged_page_views
        or s.marks & KEY != 0
        or s.engaged_ms > rule.engaged_ms
    )


def is_bounced(s: Session, rules: SourceRules) -> bool | None:
    """Tell whether a closed visit bounced: it saw a page and was not engaged.

    None where it saw no page. Under the policy ``single_page``: exactly one page view, whatever
    else happened (C4).
    """
    views = page_views(s)
    if views == 0:
        return None
    if rules.policy.session.bounce == "single_page":
        return views == 1
    return not is_engaged(s, rules)


def close(v: Visitor, at_ms: int, rules: SourceRules, out: Out) -> None:
    """End the open session at its deadline, tell how it went and what may be acted on.

    It closes at the earlier of last activity + 30 min and start + 24 h. A closed session that
    looked at a product, touched no cart and bought nothing is ``browse_abandoned`` (C7).
    """
    s = v.session
    if s is None:
        return
    bounced = is_bounced(s, rules)
    browsed = not s.cart and s.marks & (PRODUCT | BOUGHT) == PRODUCT
    causes = causes_of_session(v, s, left=bounced is True or browsed)
    end = Closing(at_ms, engaged=is_engaged(s, rules), bounced=bounced, causes=causes)
    out.session(session_row(v, s, rules, out, end))
    if bounced:
        signals.session_left(v, s, "bounce", at_ms, causes, rules, out)
    if browsed:
        signals.session_left(v, s, "browse_abandoned", at_ms, causes, rules, out)
    v.active_ms = s.last_ms
    v.seen_ms = max(v.seen_ms, s.last_ms)
    v.session = None
