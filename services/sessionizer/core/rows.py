"""From what is remembered to the rows that leave: nothing is decided here, only written down."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from msgspec import defstruct
from msgspec.structs import fields

from schemas.event import Product, Utm
from schemas.rows import STAGES, CartRow, OrderRow, PageVisit, Row, SessionRow, SignalRow
from services.sessionizer.core.causes import causes_of_cart
from services.sessionizer.core.lines import value_of
from services.sessionizer.core.out import Versions
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.stages import ENGAGEMENT, furthest, stage_name
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
    Page,
    Session,
    Visitor,
    text,
)

NO_UTM = Utm()


R = TypeVar("R", bound=Row)


def positional(kind: type[R]) -> Callable[..., R]:
    """Return the row type with its fields, all of them, to be given in order instead of by name.

    A call with more than some fifteen names costs CPython a dictionary and four times the rest.
    """
    named = [(field.name, field.type, None) for field in fields(kind)]
    made: Any = defstruct(
        kind.__name__, named, bases=(kind,), module=__name__, frozen=True, kw_only=False, gc=False
    )
    return cast("Callable[..., R]", made)


_session = positional(SessionRow)
_cart = positional(CartRow)
signal_of = positional(SignalRow)
order_of = positional(OrderRow)


def head(v: Visitor, d: Dims, marks: int, rules: SourceRules, out: Versions) -> tuple[Any, ...]:
    """Return the fields that every row begins with, in the order of ``schemas.rows.Row``.

    A row is a bot's, a test's or excluded if any event attached to its session is, and lasting if
    all are (C5).
    """
    special = d.special
    utm = d.utm or NO_UTM if special else NO_UTM
    return (
        v.source,
        v.visitor_id,
        v.user_id,
        d.channel,
        d.first_channel,
        utm.source,
        utm.medium,
        utm.campaign,
        utm.term,
        utm.content,
        d.device,
        d.browser,
        d.os,
        d.country,
        special and d.bot,
        special and d.test,
        special and d.excluded,
        not special or d.lasting,
        marks & PAST_BUYER != 0,
        (d.variants or {}) if special else {},
        rules.policy.version,
        out.version(),
        False,
    )


def products(lines: list[Line]) -> list[Product]:
    """Return a cart's lines as they leave."""
    return [
        Product(
            line.product_id,
            line.name,
            line.category,
            line.price,
            line.quantity,
            line.url,
            line.image_url,
        )
        for line in lines
    ]


def frictions(places: list[int]) -> list[str]:
    """Return the names of the friction met."""
    return [FRICTIONS[place] for place in places] if places else []


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
    pages, start_ms = s.pages, s.start_ms
    visits: list[PageVisit] = []
    if not pages:
        return visits
    page = pages[0]
    for after in pages[1:]:
        offset_ms = page.offset_ms
        time = after.offset_ms - offset_ms
        visits.append(
            PageVisit(page.path, PAGE_KINDS[page.kind], page.category, start_ms + offset_ms, time)
        )
        page = after
    at_ms = start_ms + page.offset_ms
    visits.append(
        PageVisit(page.path, PAGE_KINDS[page.kind], page.category, at_ms, _last_time(s, page))
    )
    return visits


def _last_time(s: Session, page: Page) -> int | None:
    """Return how long the shopper was on the last page kept, None where nobody can know."""
    if s.over_ms >= 0:
        return s.over_ms - page.offset_ms
    return s.page_engaged_ms if s.page_engaged_ms >= 0 else None


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
    reached = s.reached
    return _session(
        *head(v, s.dims, s.marks, rules, out),
        text(s.id),
        s.start_ms,
        s.last_ms,
        end.at_ms if end else None,
        s.last_ms - s.start_ms if end else None,
        end is None,
        views,
        s.events - s.passives - views,  # interactions
        s.events,
        pages[0].path if pages else "",
        s.exit_path if s.over_ms >= 0 else pages[-1].path if pages else "",
        s.dims.referrer,
        stage_name(s.current),
        furthest(reached),
        [STAGES[place] for place in reached],
        ENGAGEMENT in reached,  # post_purchase
        end.engaged if end else None,
        end.bounced if end else None,
        text(s.cart),
        s.marks & CHECKOUT != 0,
        s.step,
        frictions(s.friction),
        end.causes if end else [],
        s.stated,
        pages,
        s.marks & TRUNCATED != 0,
    )


def cart_row(v: Visitor, c: Cart, rules: SourceRules, out: Versions) -> CartRow:
    """Return the episode as it stands."""
    steps = c.steps
    return _cart(
        *head(v, c.dims, c.marks, rules, out),
        text(c.id),
        text(c.session),
        c.opened_ms,
        last_activity_ms(v, c),
        c.client_id,
        c.url,
        c.bucket_ms,
        products(c.lines),
        value_of(c),
        c.currency,
        OUTCOMES[c.outcome],
        c.marks & CHECKOUT != 0,
        steps[-1] if steps else "",
        list(steps),
        c.abandoned_ms,
        c.abandoned_value,
        c.reopened_ms,
        c.recovered_ms,
        c.lost_ms,
        c.emptied_ms,
        c.converted_ms,
        c.order_id,
        v.consent,
        frictions(c.friction),
        causes_of_cart(c),
        c.stated,
        c.marks & TRUNCATED != 0,
    )


def last_activity_ms(v: Visitor, c: Cart) -> int:
    """Return the visitor's newest active event up to the episode's end (D7)."""
    if c.outcome > ABANDONED:
        return c.last_ms
    return v.active_ms if v.session is None else v.session.last_ms
