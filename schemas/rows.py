"""The rows the sessionizer emits and storage keeps: session, cart, order, signal, flag.

A row's field names are its column names in storage and, save for what is said at a field, its
names over HTTP. Ids are UUID texts. ``version`` grows with each emission of the same id, so that
the newest row of an id is the truth; ``deleted`` takes an id back (rebuild, erasure).
Money is integer minor units of ``currency``.
"""

from typing import Literal, get_args

from msgspec import Struct

from schemas.event import Product

Stage = Literal["discovery", "interest", "intent", "purchase", "engagement"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Outcome = Literal["open", "abandoned", "recovered", "lost", "emptied", "converted"]
UNRESOLVED: frozenset[Outcome] = frozenset({"open", "abandoned"})
"""Outcomes of a cart that may yet end; all others are how it ended."""
JourneyKind = Literal[
    "stage_entered",
    "bounce",
    "browse_abandoned",
    "cart_abandoned",
    "checkout_abandoned",
    "cart_recovered",
    "cart_lost",
    "cart_emptied",
    "converted",
]
Friction = Literal[
    "slow_page",
    "unexpected_cost",
    "form_struggle",
    "error",
    "coupon_denied",
    "rage_click",
    "dead_click",
    "u_turn",
    "loop",
    "payment_failed",
    "out_of_stock",
    "search_no_results",
    "account_wall",
    "support_sought",
]
SignalKind = Literal[JourneyKind, Friction]
"""Every signal: a step of the journey, or a friction met on it."""
OrderRowKind = Literal["order", "refund", "cancel"]
FlagKind = Literal["late", "late_order", "stateless", "shared_alias", "busy"]


class PageVisit(Struct, frozen=True, gc=False):
    """One page of a session in order; ``time_ms`` is None where it cannot be known."""

    path: str
    page_kind: str
    category: str
    at_ms: int
    time_ms: int | None


class Row(Struct, frozen=True, kw_only=True, gc=False):
    """What every row has: whose it is, how it came, and which statement of it is newest."""

    source: str
    visitor_id: str
    user_id: str = ""
    channel: str = ""
    first_channel: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_term: str = ""
    utm_content: str = ""
    device: str = ""
    browser: str = ""
    os: str = ""
    country: str = ""
    bot: bool = False
    test: bool = False
    excluded: bool = False
    lasting: bool = True
    past_buyer: bool = False
    variants: dict[str, str] = {}
    policy_version: int = 1
    version: int = 0
    deleted: bool = False


class SessionRow(Row, frozen=True, kw_only=True, gc=False):
    """One visit. ``started_ms`` and ``ended_ms`` are its first and last active event.

    ``closed_ms`` is the deadline at which it closed, None while open; then ``duration_ms``,
    ``engaged`` and ``bounced`` are None too. Orders and the cart's outcome are joined when read.
    """

    session_id: str
    started_ms: int
    ended_ms: int
    closed_ms: int | None = None
    duration_ms: int | None = None
    open: bool = True
    page_views: int = 0
    interactions: int = 0
    events: int = 0
    entry_path: str = ""
    exit_path: str = ""
    referrer: str = ""
    current_stage: str = ""
    furthest_stage: str = ""
    reached: list[str] = []
    post_purchase: bool = False
    engaged: bool | None = None
    bounced: bool | None = None
    cart_id: str = ""
    checkout_started: bool = False
    checkout_step: str = ""
    friction: list[str] = []
    causes: list[str] = []
    stated_reason: str = ""
    pages: list[PageVisit] = []
    truncated: bool = False


class CartRow(Row, frozen=True, kw_only=True, gc=False):
    """One cart episode. Its dimensions are those of the session that last touched it.

    ``value`` is of the lines now; ``abandoned_value`` was at ``abandoned_ms``. ``bucket_ms`` is
    the last active event before the one that first resolved it, None while unresolved.
    """

    cart_id: str
    session_id: str
    opened_ms: int
    last_activity_ms: int
    client_cart_id: str = ""
    cart_url: str = ""
    bucket_ms: int | None = None
    lines: list[Product] = []
    value: int = 0
    currency: str = ""
    outcome: Outcome = "open"
    checkout_started: bool = False
    checkout_step: str = ""
    checkout_steps: list[str] = []
    abandoned_ms: int | None = None
    abandoned_value: int | None = None
    reopened_ms: int | None = None
    recovered_ms: int | None = None
    lost_ms: int | None = None
    emptied_ms: int | None = None
    converted_ms: int | None = None
    order_id: str = ""
    marketing_consent: bool | None = None
    friction: list[str] = []
    causes: list[str] = []
    stated_reason: str = ""
    truncated: bool = False


class OrderRow(Row, frozen=True, kw_only=True, gc=False):
    """One copy of an order, or a refund or cancel of it at its own time.

    ``named`` tells whether the event named this visitor; ``order_id`` falls back to ``event_id``.
    An order is its copy with the least (at_ms, event_id): DESIGN, *Rules: Orders*.
    """

    order_id: str
    event_id: str
    at_ms: int
    kind: OrderRowKind = "order"
    named: bool = True
    session_id: str = ""
    cart_id: str = ""
    value: int | None = None
    shipping: int | None = None
    tax: int | None = None
    discount: int | None = None
    currency: str = ""
    lines: list[Product] = []
    payment_method: str = ""
    provisional: bool = False


class SignalRow(Row, frozen=True, kw_only=True, gc=False):
    """Something to act on. ``at_ms`` is event time; ``emitted_ms`` the log's clock then."""

    signal_id: str
    kind: SignalKind
    at_ms: int
    emitted_ms: int
    session_id: str = ""
    cart_id: str = ""
    stage: str = ""
    value: int | None = None
    currency: str = ""
    cart_url: str = ""
    lines: list[Product] = []
    marketing_consent: bool | None = None
    causes: list[str] = []
    stated_reason: str = ""
    details: dict[str, str] = {}
    retracted: bool = False


class FlagRow(Struct, frozen=True, kw_only=True, gc=False):
    """What was noted of an event that was not folded in order; it marks its visitor for rebuild."""

    source: str
    visitor_id: str
    event_id: str
    ts_ms: int
    flag: FlagKind
    version: int = 0


class DeadLetter(Struct, frozen=True, kw_only=True, gc=False):
    """A refused item with its original bytes (``original``, base64 where not UTF-8 text)."""

    id: str
    source: str
    received_ms: int
    code: str
    field: str
    message: str
    original: str
    base64: bool = False
    event_id: str = ""
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
