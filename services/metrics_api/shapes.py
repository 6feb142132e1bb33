"""What the entity endpoints answer: one struct a noun, names fixed by docs/api.md.

Built from a row of storage (or of the feed: the same names) by ``shape``; money turns into decimal
strings on the way, everything else passes as it stands. The OpenAPI page is made from them.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from services.metrics_api.money import with_money, with_prices

T = TypeVar("T", bound=Struct)


class Line(Struct, kw_only=True):
    """A product in a cart or order; ``price`` is the unit price, a decimal string."""

    product_id: str
    name: str = ""
    category: str = ""
    price: str | None = None
    quantity: int = 1
    url: str = ""
    image_url: str = ""


class Page(Struct, kw_only=True):
    """One page of a session, in order; ``time_ms`` null where it cannot be known."""

    path: str
    page_kind: str = ""
    category: str = ""
    at_ms: int
    time_ms: int | None = None


class Session(Struct, kw_only=True):
    """One visit; ``bounced``, ``engaged`` and ``duration_ms`` are null while it is open."""

    session_id: str
    source: str
    visitor_id: str
    user_id: str
    started_ms: int
    ended_ms: int
    duration_ms: int | None
    open: bool
    page_views: int
    interactions: int
    events: int
    entry_path: str
    exit_path: str
    referrer: str = ""
    channel: str
    utm_source: str
    utm_medium: str
    utm_campaign: str
    utm_term: str
    utm_content: str
    device: str
    browser: str = ""
    os: str = ""
    country: str
    bot: bool
    excluded: bool = False
    current_stage: str
    furthest_stage: str
    reached: list[str]
    post_purchase: bool
    engaged: bool | None
    bounced: bool | None
    cart_id: str
    cart_outcome: str
    checkout_started: bool
    checkout_step: str
    orders: int
    revenue: str | None
    currency: str
    friction: list[str]
    causes: list[str]
    stated_reason: str
    truncated: bool = False
    policy_version: int


class SessionFull(Session, kw_only=True):
    """One visit with its pages."""

    pages: list[Page]


class SessionWhole(SessionFull, kw_only=True):
    """One visit with its pages and the events that made it, in the order they count."""

    timeline: list[dict[str, Any]]


class Cart(Struct, kw_only=True):
    """One cart episode; ``value`` is of its lines now, ``abandoned_value`` at ``abandoned_ms``."""

    cart_id: str
    client_cart_id: str
    cart_url: str
    source: str
    visitor_id: str
    user_id: str
    session_id: str = ""
    opened_ms: int
    last_activity_ms: int
    bucket_ms: int | None
    lines: list[Line]
    value: str
    currency: str
    outcome: str
    checkout_started: bool = False
    checkout_step: str
    abandoned_ms: int | None
    reopened_ms: int | None
    recovered_ms: int | None
    order_id: str
    abandoned_value: str | None
    lost_ms: int | None
    emptied_ms: int | None
    converted_ms: int | None
    marketing_consent: bool | None
    friction: list[str]
    causes: list[str]
    stated_reason: str
    truncated: bool = False
    policy_version: int


class Order(Struct, kw_only=True):
    """One order, its refunds and cancellation beside it; ``refunded`` never exceeds ``value``."""

    order_id: str
    source: str
    visitor_id: str
    user_id: str
    event_id: str
    session_id: str
    cart_id: str
    at_ms: int
    value: str | None
    shipping: str | None
    tax: str | None
    discount: str | None
    currency: str
    lines: list[Line]
    payment_method: str = ""
    refunded: str
    cancelled_ms: int | None
    provisional: bool
    policy_version: int


class Signal(Struct, kw_only=True):
    """Something to act on; a ``retracted`` one is taken back. Unsettled ones may yet change."""

    signal_id: str
    kind: str
    source: str
    visitor_id: str
    session_id: str = ""
    cart_id: str = ""
    at_ms: int
    emitted_ms: int
    user_id: str = ""
    stage: str = ""
    value: str | None = None
    currency: str = ""
    cart_url: str = ""
    lines: list[Line] = field(default_factory=list)
    marketing_consent: bool | None = None
    version: int = 0
    retracted: bool = False
    causes: list[str] = field(default_factory=list)
    stated_reason: str = ""
    details: dict[str, str] = field(default_factory=dict)
    policy_version: int = 1
    settled: bool = True


class DeadLetter(Struct, kw_only=True):
    """A refused item with its original, in base64 where it is no UTF-8 text."""

    id: str
    source: str
    received_ms: int
    code: str
    field: str
    message: str
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    original: str
    base64: bool = False
    event_id: str = ""


class SourceOut(Struct, kw_only=True):
    """One storefront; ``default`` marks the one that is meant where a question names none.

    ``events`` says about how many are stored: one sent twice counts twice until storage has merged
    the two. The metric ``events`` counts each once.
    """

    name: str
    timezone: str
    currency: str
    hosts: list[str]
    demo: bool
    test: bool
    default: bool
    events: int
    last_received_ms: int | None


class Refusal(Struct, kw_only=True):
    """Every error: a code for programs, and a message that names field and value."""

    code: str
    message: str


MONEY = (
    "value",
    "abandoned_value",
    "shipping",
    "tax",
    "discount",
    "revenue",
    "refunded",
)


def shape(row: dict[str, Any], kind: type[T]) -> T:
    """Return a row as the answer of its kind; fields the kind does not have are left out."""
    currency = str(row.get("currency") or "")
    shown = with_money(row, MONEY, currency)
    if "lines" in row:
        shown["lines"] = with_prices(row["lines"], currency)
    return msgspec.convert(shown, kind, strict=False)


def event_shape(event: dict[str, Any]) -> dict[str, Any]:
    """Return a canonical event as answers show it: money in major units, nothing else changed."""
    currency = str(event.get("currency") or "")
    shown = with_money(event, MONEY, currency)
    if event.get("products"):
        shown["products"] = with_prices(event["products"], currency)
    return shown
