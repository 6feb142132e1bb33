"""From what is remembered to the rows that leave: nothing is decided here, only written down."""

from typing import TypeVar

from msgspec.structs import replace

from schemas.event import Product, Utm
from schemas.rows import CartRow, PageVisit, Row, SessionRow
from services.sessionizer.core.causes import causes_of_cart
from services.sessionizer.core.lines import value_of
from services.sessionizer.core.out import Versions
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.stages import ENGAGEMENT, STAGES, furthest, stage_name
from services.sessionizer.core.state import (
    ABANDONED,
    CHECKOUT,
    FRICTIONS,
    OUTCOMES,
    PAGE_KINDS,
    PAST_BUYER,
    TRUNCATED,
    Cart,
    Dims,
    Line,
    Session,
    Visitor,
    text,
)

NO_UTM = Utm()


R = TypeVar("R", bound=Row)


def rare(row: R, d: Dims, marks: int) -> R:
    """Return the row with what few have: a campaign, experiments, a bot's mark, a past order.

    Apart because a row is made faster without them. A row is a bot's, a test's or excluded if any
    event attached to its session is, and lasting if all are (C5).
    """
    if marks & PAST_BUYER:
        row = replace(row, past_buyer=True)
    if not d.special:
        return row
    utm = d.utm or NO_UTM
    return replace(
        row,
        utm_source=utm.source,
        utm_medium=utm.medium,
        utm_campaign=utm.campaign,
        utm_term=utm.term,
        utm_content=utm.content,
        bot=d.bot,
        test=d.test,
        excluded=d.excluded,
        lasting=d.lasting,
        variants=d.variants or {},
    )


def products(lines: list[Line]) -> list[Product]:
    """Return a cart's lines as they leave."""
    return [
        Product(
            product_id=line.product_id,
            name=line.name,
            category=line.category,
            price=line.price,
            quantity=line.quantity,
            url=line.url,
            image_url=line.image_url,
        )
        for line in lines
    ]


def frictions(places: list[int]) -> list[str]:
    """Return the names of the friction met."""
    return [FRICTIONS[place] for place in places]


def page_views(s: Session) -> int:
    """Return a session's page views.

    They are its ``page_view`` events or, where it has none, its product views, product lists and
    cart views, for some storefronts send both and some only those (DESIGN, *Page views*).
    """
    return s.views or s.other_views


def page_visits(s: Session) -> list[PageVisit]:
    """Return the pages of a session in order, with the time spent on each.

    A page lasts until the next page; the last one as long as its page_leave events say the
    shopper was engaged with it, and for an unknown time where none says so (C3).
    """
    ends = [page.offset_ms for page in s.pages[1:]]
    visits = [
        PageVisit(
            p.path, PAGE_KINDS[p.kind], p.category, s.start_ms + p.offset_ms, end - p.offset_ms
        )
        for p, end in zip(s.pages, ends, strict=False)
    ]
    if s.pages:
        last = s.pages[-1]
        time: int | None = s.page_engaged_ms if s.page_engaged_ms >= 0 else None
        if s.over_ms >= 0:
            time = s.over_ms - last.offset_ms
        kind = PAGE_KINDS[last.kind]
        at_ms = s.start_ms + last.offset_ms
        visits.append(PageVisit(last.path, kind, last.category, at_ms, time))
    return visits


class Closing:
    """What only a session's end decides; see ``sessions.close``."""

    __slots__ = ("at_ms", "bounced", "causes", "engaged")

    def __init__(
        self, at_ms: int, *, engaged: bool, bounced: bool | None, causes: list[str]
    ) -> None:
        self.at_ms = at_ms
        self.engaged = engaged
        self.bounced = bounced
        self.causes = causes


def session_row(
    v: Visitor, s: Session, rules: SourceRules, out: Versions, end: Closing | None = None
) -> SessionRow:
    """Return the session as it stands, or as it ended."""
    views = page_views(s)
    pages = page_visits(s)
    d = s.dims
    row = SessionRow(
        source=v.source,
        visitor_id=v.visitor_id,
        user_id=v.user_id,
        channel=d.channel,
        first_channel=d.first_channel,
        device=d.device,
        browser=d.browser,
        os=d.os,
        country=d.country,
        policy_version=rules.policy.version,
        version=out.version(),
        session_id=text(s.id),
        started_ms=s.start_ms,
        ended_ms=s.last_ms,
        closed_ms=end.at_ms if end else None,
        duration_ms=s.last_ms - s.start_ms if end else None,
        open=end is None,
        page_views=views,
        interactions=s.events - s.passives - views,
        events=s.events,
        entry_path=pages[0].path if pages else "",
        exit_path=s.exit_path if s.over_ms >= 0 else pages[-1].path if pages else "",
        referrer=d.referrer,
        current_stage=stage_name(s.current),
        furthest_stage=furthest(s.reached),
        reached=[STAGES[place] for place in s.reached],
        post_purchase=ENGAGEMENT in s.reached,
        engaged=end.engaged if end else None,
        bounced=end.bounced if end else None,
        cart_id=text(s.cart),
        checkout_started=s.marks & CHECKOUT != 0,
        checkout_step=s.step,
        friction=frictions(s.friction),
        causes=end.causes if end else [],
        stated_reason=s.stated,
        pages=pages,
        truncated=s.marks & TRUNCATED != 0,
    )
    return rare(row, d, s.marks)


def cart_row(v: Visitor, c: Cart, rules: SourceRules, out: Versions) -> CartRow:
    """Return the episode as it stands."""
    d = c.dims
    row = CartRow(
        source=v.source,
        visitor_id=v.visitor_id,
        user_id=v.user_id,
        channel=d.channel,
        first_channel=d.first_channel,
        device=d.device,
        browser=d.browser,
        os=d.os,
        country=d.country,
        policy_version=rules.policy.version,
        version=out.version(),
        cart_id=text(c.id),
        session_id=text(c.session),
        opened_ms=c.opened_ms,
        last_activity_ms=last_activity_ms(v, c),
        client_cart_id=c.client_id,
        cart_url=c.url,
        bucket_ms=c.bucket_ms,
        lines=products(c.lines),
        value=value_of(c),
        currency=c.currency,
        outcome=OUTCOMES[c.outcome],
        checkout_started=c.marks & CHECKOUT != 0,
        checkout_step=c.steps[-1] if c.steps else "",
        checkout_steps=list(c.steps),
        abandoned_ms=c.abandoned_ms,
        abandoned_value=c.abandoned_value,
        reopened_ms=c.reopened_ms,
        recovered_ms=c.recovered_ms,
        lost_ms=c.lost_ms,
        emptied_ms=c.emptied_ms,
        converted_ms=c.converted_ms,
        order_id=c.order_id,
        marketing_consent=v.consent,
        friction=frictions(c.friction),
        causes=causes_of_cart(c),
        stated_reason=c.stated,
        truncated=c.marks & TRUNCATED != 0,
    )
    return rare(row, d, c.marks)


def last_activity_ms(v: Visitor, c: Cart) -> int:
    """Return the visitor's newest active event up to the episode's end (D7)."""
    if c.outcome > ABANDONED:
        return c.last_ms
    return v.active_ms if v.session is None else v.session.last_ms
