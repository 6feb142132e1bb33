"""Rows of the table ``events``: what they hold, and one as a JSON line (an import's).

The columns are what queries filter and count by; ``body`` is the canonical line, from which a
rebuild reads. Ticks, links and forwarded orders (events with ``to``) are the log's own business
and leave no row: the order itself stands under its own address.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from schemas.event import Event, address_of

_encode = msgspec.json.Encoder().encode

FIRST = 1 << 63
"""Versions of events count down from here: of two copies the one received first stays."""
LAST_PLACE = 0xFFFFF
CONTROL: Final = frozenset({"__tick", "__link"})


class EventRow(Struct, frozen=True, omit_defaults=True, gc=False):
    """A row of ``events``; a column that is left out takes its type's empty value."""

    source: str
    address: str
    event_id: str
    ts_ms: int
    received_ms: int
    append_ms: int
    type: str
    body: str
    version: int
    visitor_id: str = ""
    user_id: str = ""
    name: str = ""
    origin: str = ""
    path: str = ""
    page_kind: str = ""
    channel: str = ""
    category: str = ""
    product_ids: list[str] = []
    element: str = ""
    x: float | None = None
    y: float | None = None
    scroll_depth: float | None = None
    cart_id: str = ""
    order_id: str = ""
    value: int | None = None
    currency: str = ""
    survey_kind: str = ""
    survey_id: str = ""
    survey_score: float | None = None
    lcp_ms: float | None = None
    inp_ms: float | None = None
    cls: float | None = None
    ttfb_ms: float | None = None
    load_ms: float | None = None
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    bot: bool = False
    test: bool = False
    excluded: bool = False


def is_row(event: Event) -> bool:
    """Tell whether an event of the log has a row: ticks, links and forwards have none."""
    return not event.to and event.type not in CONTROL


def no_later(event: Event, append_ms: int) -> Event:
    """Return the event with its time never later than its append time."""
    return msgspec.structs.replace(event, ts_ms=append_ms)


def rows_of_events(events: Iterable[Event]) -> Iterator[bytes]:
    """Yield rows for events without a log (import): received when they say, else when they were."""
    for place, event in enumerate(events):
        yield row_of(event, event.received_ms or event.ts_ms, place & 0xFFFF)


def row_of(event: Event, append_ms: int, place: int, line: bytes = b"") -> bytes:
    """Return one event's row as a JSON line; its time never later than its append time."""
    if event.ts_ms > append_ms:
        event = no_later(event, append_ms)
        line = b""
    products = event.products or []
    survey, perf = event.survey, event.perf
    row = EventRow(
        source=event.source,
        address=address_of(event),
        event_id=event.event_id,
        ts_ms=event.ts_ms,
        received_ms=event.received_ms,
        append_ms=append_ms,
        type=event.type,
        body=(line or _encode(event)).decode(),
        version=FIRST - (append_ms << 20 | min(place, LAST_PLACE)),
        visitor_id=event.visitor_id,
        user_id=event.user_id,
        name=event.name,
        origin=event.origin,
        path=event.path,
        page_kind=event.page_kind or "",
        channel=event.channel,
        category=next((product.category for product in products if product.category), ""),
        product_ids=[product.product_id for product in products],
        element=event.element,
        x=event.x,
        y=event.y,
        scroll_depth=event.scroll_depth,
        cart_id=event.cart_id,
        order_id=event.order_id,
        value=event.value,
        currency=event.currency,
        survey_kind=survey.kind if survey else "",
        survey_id=survey.survey_id if survey else "",
        survey_score=survey.score if survey else None,
        lcp_ms=perf.lcp_ms if perf else None,
        inp_ms=perf.inp_ms if perf else None,
        cls=perf.cls if perf else None,
        ttfb_ms=perf.ttfb_ms if perf else None,
        load_ms=perf.load_ms if perf else None,
        device=event.device,
        browser=event.browser,
        os=event.os,
        country=event.country,
        bot=event.bot,
        test=event.test,
        excluded=event.excluded,
    )
    return _encode(row)
