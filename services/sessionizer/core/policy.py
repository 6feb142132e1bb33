"""The policy: every threshold and table that decides a number, versioned, in one frozen object.

Defaults are DESIGN's *Rules*. A policy file (TOML) overrides single values; its reader is
``services.common.policy_file``. Durations are milliseconds and end in ``_ms``.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct, field

from schemas.rows import Stage
from schemas.spans import DAY_MS, HOUR_MS, MINUTE_MS

STAGE_OF_TYPE: dict[str, Stage] = {
    "search": "discovery",
    "product_list_view": "discovery",
    "product_view": "interest",
    "product_share": "interest",
    "wishlist_add": "interest",
    "cart_add": "intent",
    "cart_remove": "intent",
    "cart_view": "intent",
    "cart_update": "intent",
    "checkout_start": "intent",
    "checkout_step": "intent",
    "payment_info": "intent",
    "payment_failed": "intent",
    "coupon": "intent",
    "purchase": "purchase",
    "review": "engagement",
    "survey_response": "engagement",
    "support": "engagement",
    "refund": "engagement",
    "cancel": "engagement",
    "email_open": "engagement",
    "email_click": "engagement",
}
"""Event type to stage; ``page_view`` and ``custom`` take their page kind's stage instead."""

STAGE_OF_PAGE: dict[str, Stage] = {
    "home": "discovery",
    "category": "discovery",
    "other": "discovery",
    "product": "interest",
    "cart": "intent",
    "checkout": "intent",
    "account": "engagement",
    "support": "engagement",
}
"""Page kind to stage; a confirmation page is unstaged, for only a purchase is a purchase."""


class PathStage(Struct, frozen=True, forbid_unknown_fields=True):
    """A page-path pattern (glob, ``*`` any run) that wins over type and page kind."""

    pattern: str
    stage: Stage | None


class Session(Struct, frozen=True, forbid_unknown_fields=True):
    """When a visit ends and what counts as engaged."""

    gap_ms: int = 30 * MINUTE_MS
    max_ms: int = 24 * HOUR_MS
    engaged_ms: int = 10_000
    engaged_page_views: int = 2
    bounce: Literal["engaged", "single_page"] = "engaged"
    max_pages: int = 200


class Cart(Struct, frozen=True, forbid_unknown_fields=True):
    """When a cart counts as left, and how long it can still be recovered."""

    idle_ms: int = 30 * MINUTE_MS
    checkout_idle_ms: int = 15 * MINUTE_MS
    recovery_ms: int = 7 * DAY_MS
    past_buyer_ms: int = 365 * DAY_MS


class Friction(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of friction; see DESIGN, *Friction*."""

    slow_lcp_ms: float = 4_000
    slow_load_ms: float = 5_000
    cost_rise: float = 0.05
    cost_rise_major: int = 1
    form_errors: int = 3
    step_reentries: int = 3
    rage_clicks: int = 3
    rage_window_ms: int = 1_000
    rage_px: float = 30
    u_turn_ms: int = 5_000
    loop_visits: int = 4
    loop_window_ms: int = 90_000


class Bots(Struct, frozen=True, forbid_unknown_fields=True):
    """Rates above which a session is a machine's, in fold order."""

    per_second: int = 100
    per_session: int = 5_000


class Time(Struct, frozen=True, forbid_unknown_fields=True):
    """How long the fold waits for what may still come; see DESIGN, *The fold* and *The log*."""

    grace_ms: int = 30_000
    stall_ms: int = 10_000
    hold_min_ms: int = MINUTE_MS
    hold_max_ms: int = 15 * MINUTE_MS
    lag_hold_max_ms: int = 30 * MINUTE_MS
    stub_ms: int = 2 * HOUR_MS
    emit_every_ms: int = MINUTE_MS


class Links(Struct, frozen=True, forbid_unknown_fields=True):
    """How far an order reaches over a shared cart, user or order id."""

    back_days: int = 30
    ahead_days: int = 7
    max_visitors: int = 8


class Exclude(Struct, frozen=True, forbid_unknown_fields=True):
    """Traffic of staff: kept, out of every metric. Addresses are networks in CIDR form."""

    addresses: list[str] = []
    users: list[str] = []
    hosts: list[str] = []


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """All rules that decide a number. ``version`` is written on every row made under it."""

    version: int = 1
    session: Session = field(default_factory=Session)
    cart: Cart = field(default_factory=Cart)
    friction: Friction = field(default_factory=Friction)
    bots: Bots = field(default_factory=Bots)
    time: Time = field(default_factory=Time)
    links: Links = field(default_factory=Links)
    exclude: Exclude = field(default_factory=Exclude)
    stage_of_type: dict[str, Stage] = field(default_factory=lambda: dict(STAGE_OF_TYPE))
    stage_of_page: dict[str, Stage] = field(default_factory=lambda: dict(STAGE_OF_PAGE))
    stage_of_path: list[PathStage] = []
    page_paths: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class SourceRules(Struct, frozen=True):
    """What the core must know of a source: its policy, and its currency where an event has none."""

    policy: Policy = field(default_factory=Policy)
    currency: str = "USD"


Rules = Callable[[str], SourceRules]
"""The rules of a source, by its name."""
