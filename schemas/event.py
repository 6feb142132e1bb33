"""The canonical event: the one form in which a thing that happened travels and is stored.

Rules of this package: no I/O, no clock, no randomness. Times are integer epoch milliseconds in
fields ending ``_ms``; money is integer minor units of ``currency`` (ISO 4217); an absent text is
``""``, an absent number ``None``. Defaults are not written, so a line stays short.
"""

from typing import Literal

from msgspec import Struct, field

EventType = Literal[
    "page_view",
    "page_leave",
    "click",
    "dead_click",
    "scroll",
    "search",
    "product_list_view",
    "product_view",
    "product_share",
    "wishlist_add",
    "cart_add",
    "cart_remove",
    "cart_view",
    "cart_update",
    "checkout_start",
    "checkout_step",
    "payment_info",
    "payment_failed",
    "coupon",
    "purchase",
    "refund",
    "cancel",
    "review",
    "survey_response",
    "form_interaction",
    "performance",
    "error",
    "stock_out",
    "support",
    "email_open",
    "email_click",
    "identify",
    "login",
    "signup",
    "custom",
]
"""What a storefront may report; an unknown name becomes ``custom`` with that name."""

ControlType = Literal["__tick", "__link", "__forget"]
"""Records that only Waymark writes: time passing on a quiet partition, an alias's link, erasure."""
TICK = b'{"type":"__tick"}'
"""The line by which time passes where nothing else comes."""

PageKind = Literal[
    "home",
    "category",
    "product",
    "cart",
    "checkout",
    "confirmation",
    "account",
    "support",
    "other",
]
Channel = Literal[
    "direct",
    "internal",
    "paid_search",
    "organic_search",
    "paid_social",
    "organic_social",
    "paid_video",
    "organic_video",
    "paid_shopping",
    "organic_shopping",
    "display",
    "paid_other",
    "email",
    "sms",
    "push",
    "affiliate",
    "audio",
    "offline",
    "ai_assistant",
    "referral",
    "campaign",
]
"""Every channel Waymark gives; a storefront may send its own. ``internal``: from the shop itself
or back from a payment page, which begins no visit. ``campaign``: tagged, of a medium unknown."""

Origin = Literal["client", "server"]
SurveyKind = Literal["csat", "nps", "ces", "open"]
CouponStatus = Literal["entered", "applied", "denied", "removed"]


class Product(Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of a cart, order or list; ``price`` is a unit price in minor units."""

    product_id: str
    name: str = ""
    category: str = ""
    price: int | None = None
    # A factory's default is written out: storage would read a quantity left out as 0, not 1.
    quantity: int = field(default_factory=(1).__int__)
    url: str = ""
    image_url: str = ""


class Utm(Struct, frozen=True, omit_defaults=True, gc=False):
    """Campaign parameters as they stood in the landing URL."""

    source: str = ""
    medium: str = ""
    campaign: str = ""
    term: str = ""
    content: str = ""


class Survey(Struct, frozen=True, omit_defaults=True, gc=False):
    """An answer: ``score`` on a scale of 0 or 1 to ``scale``; ``comment`` is what was said."""

    kind: SurveyKind
    survey_id: str = ""
    score: float | None = None
    scale: int | None = None
    comment: str = ""


class Perf(Struct, frozen=True, omit_defaults=True, gc=False):
    """Web vitals of one page load; ``cls`` is unitless, the others milliseconds."""

    lcp_ms: float | None = None
    inp_ms: float | None = None
    cls: float | None = None
    ttfb_ms: float | None = None
    load_ms: float | None = None


class Form(Struct, frozen=True, omit_defaults=True, gc=False):
    """A form field that was touched; ``error`` is the message shown, if one was."""

    form_id: str = ""
    field: str = ""
    error: str = ""
    time_ms: int | None = None
    """For reports on forms (docs/design.md, *Designed, not built yet*), as ``refills``."""
    refills: int | None = None


class ErrorInfo(Struct, frozen=True, omit_defaults=True, gc=False):
    """A failure the shopper met: ``kind`` such as ``js``, ``http``, ``payment``."""

    kind: str = ""
    message: str = ""


class Consent(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the shopper allowed; ``None`` where the storefront did not say."""

    analytics: bool | None = None
    marketing: bool | None = None


class Event(Struct, frozen=True, omit_defaults=True, gc=False):
    """One thing that happened, normalised.

    ``to`` is the address under which the event is folded when that is not its own visitor: the
    alias (``cart:ID``, ``user:ID``, ``order:ID``) a link or an order goes to, or the linked
    visitor an order is forwarded to. Storefronts cannot set it. A ``__tick`` has no other field;
    a ``__link`` has ``source``, ``visitor_id``, ``ts_ms`` and ``to``; a ``__forget`` has the same,
    and may have a ``user_id``.
    """

    type: EventType | ControlType
    event_id: str = ""
    source: str = ""
    visitor_id: str = ""
    ts_ms: int = 0
    received_ms: int = 0
    sent_ms: int | None = None
    name: str = ""
    origin: Origin = "client"
    user_id: str = ""
    url: str = ""
    path: str = ""
    title: str = ""
    referrer: str = ""
    channel: str = ""
    utm: Utm | None = None
    page_kind: PageKind | None = None
    element: str = ""
    x: float | None = None
    y: float | None = None
    scroll_depth: float | None = None
    engaged_ms: int | None = None
    viewport: str = ""
    products: list[Product] | None = None
    cart_id: str = ""
    cart_url: str = ""
    order_id: str = ""
    value: int | None = None
    shipping: int | None = None
    tax: int | None = None
    discount: int | None = None
    currency: str = ""
    coupon: str = ""
    coupon_status: CouponStatus | None = None
    payment_method: str = ""
    checkout_step: str = ""
    results_count: int | None = None
    survey: Survey | None = None
    perf: Perf | None = None
    form: Form | None = None
    error: ErrorInfo | None = None
    stock_out: bool | None = None
    ua: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    bot: bool = False
    country: str = ""
    ip: str = ""
    consent: Consent | None = None
    variants: dict[str, str] = field(default_factory=dict)
    test: bool = False
    excluded: bool = False
    lasting: bool = True
    provisional: bool = False
    properties: dict[str, object] = field(default_factory=dict)
    to: str = ""


RESERVED = ("cart:", "user:", "order:")
"""How the addresses of aliases begin; a visitor of such a name would share their state."""


def address_of(event: Event) -> str:
    """Return the name under which the event is folded, within its source.

    DESIGN, *Event: Who* and *Rules: Links*: the visitor it names; an order that names none belongs
    to its alias (cart, else user, else order); any other event that names none belongs to the
    visitor ``user:ID``, else ``cart:ID``, else ``order:ID``.
    """
    if event.to:
        return event.to
    if event.visitor_id:
        return event.visitor_id
    if event.type == "purchase":
        parts = (("cart", event.cart_id), ("user", event.user_id), ("order", event.order_id))
    else:
        parts = (("user", event.user_id), ("cart", event.cart_id), ("order", event.order_id))
    return next((f"{kind}:{value}" for kind, value in parts if value), "")
