"""The input form of an event: what a storefront may send, field by field, typed.

It differs from the canonical event in time (``timestamp`` or ``ts_ms``), in money (major units, a
decimal number or text) and in that nothing but ``type`` and an id is needed. Fields that Waymark
alone sets are ignored when sent: a storefront cannot declare itself received or excluded.
"""

from typing import Annotated, Any, Literal, Required, TypedDict

from msgspec import Meta

from schemas.event import CouponStatus, Origin, PageKind, SurveyKind

Amount = int | float | str
"""Money in major units: ``35.79`` or ``"35.79"``."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Id = Annotated[str, Meta(max_length=200)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Millis = Annotated[int, Meta(ge=0, le=2**53)]
Measure = Annotated[float, Meta(ge=0, le=1e12)]
Share = Annotated[float, Meta(ge=0, le=1)]
Depth = Annotated[float, Meta(ge=0, le=100)]


class WireProduct(TypedDict, total=False):
    """A line of a cart, order or list."""

    product_id: Required[Annotated[str, Meta(min_length=1, max_length=200)]]
    name: str
    category: str
    price: Amount
    quantity: Count
    url: str
    image_url: str


class WireUtm(TypedDict, total=False):
    """Campaign parameters, where the storefront has read them itself."""

    source: str
    medium: str
    campaign: str
    term: str
    content: str


class WireSurvey(TypedDict, total=False):
    """An answer; ``kind`` is needed."""

    kind: Required[SurveyKind]
    survey_id: str
    score: Annotated[float, Meta(ge=0, le=1_000)]
    scale: Annotated[int, Meta(ge=1, le=1_000)]
    comment: str


class WirePerf(TypedDict, total=False):
    """Web vitals of one page load."""

    lcp_ms: Measure
    inp_ms: Measure
    cls: Measure
    ttfb_ms: Measure
    load_ms: Measure


class WireForm(TypedDict, total=False):
    """A form field that was touched."""

    form_id: str
    field: str
    error: str
    time_ms: Millis
    refills: Count


class WireError(TypedDict, total=False):
    """A failure the shopper met."""

    kind: str
    message: str


class WireConsent(TypedDict, total=False):
    """What the shopper allowed."""

    analytics: bool | Literal["granted", "denied"]
    marketing: bool | Literal["granted", "denied"]


class Wire(TypedDict, total=False):
    """One event as it is sent."""

    type: Required[Name]
    event_id: Id
    visitor_id: Id
    user_id: Id
    ts_ms: int
    timestamp: int | float | str
    sent_ms: int
    name: str
    origin: Origin
    url: str
    path: str
    title: str
    referrer: str
    channel: str
    utm: WireUtm
    page_kind: PageKind
    element: str
    x: Share
    y: Share
    scroll_depth: Depth
    engaged_ms: Millis
    viewport: str
    products: list[WireProduct]
    cart_id: Id
    cart_url: str
    order_id: Id
    value: Amount
    shipping: Amount
    tax: Amount
    discount: Amount
    currency: str
    coupon: str
    coupon_status: CouponStatus
    payment_method: str
    checkout_step: str
    results_count: Annotated[int, Meta(ge=0, le=2**53)]
    survey: WireSurvey
    perf: WirePerf
    form: WireForm
    error: WireError
    stock_out: bool
    ua: str
    device: str
    browser: str
    os: str
    bot: bool
    country: str
    ip: str
    consent: WireConsent
    variants: dict[str, str]
    test: bool
    properties: dict[str, Any]


OWN_FIELDS = frozenset({"source", "received_ms", "excluded", "lasting", "provisional", "to"})
"""Canonical fields that Waymark alone sets; ignored when sent."""

Draft = dict[str, Any]
"""An event in the making: read as ``Wire``, turned step by step into the canonical form."""

NUMBER_FIELDS = frozenset(
    {
        "ts_ms",
        "sent_ms",
        "x",
        "y",
        "scroll_depth",
        "engaged_ms",
        "results_count",
        "stock_out",
        "bot",
        "test",
    }
)
"""Fields that are never a text."""

VARIED_FIELDS = frozenset(
    {
        "timestamp",
        "value",
        "shipping",
        "tax",
        "discount",
        "products",
        "utm",
        "survey",
        "perf",
        "form",
        "error",
        "consent",
        "variants",
        "properties",
    }
)
"""Fields that may be text or number, or hold others; a field in neither set is a text."""
