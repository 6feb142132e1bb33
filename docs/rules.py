"""The rules as text, taken from the docstrings of the functions that decide each number.

``rules_text`` is the first half of docs/definitions.md; the metrics' table is the other.
Numbers such as (C4) are those of docs/adr/0002-what-the-rules-leave-open.md.
"""

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

import msgspec

from schemas import channel
from services.sessionizer.core import (
    activity,
    carts,
    causes,
    checkout,
    clicks,
    deadlines,
    friction,
    late,
    lines,
    orders,
    pages,
    rows,
    sessions,
    signals,
    stages,
    walks,
)
from services.sessionizer.core.policy import Policy

Decides = ModuleType | Callable[..., object]

SECTIONS: dict[str, list[Decides]] = {
    "Activity": [activity.is_active],
    "Sessions": [sessions.open_session, sessions.close, sessions.is_past_buyer],
    "Pages": [pages, rows.page_views, rows.page_visits],
    "Engagement and bounce": [sessions.is_engaged, sessions.is_bounced],
    "Stages": [stages.stage_of, stages.furthest],
    "How a visit came": [sessions.describe, channel.classify],
    "Machines": [sessions.is_machine],
    "Carts": [carts.open_episode, lines.value_of, lines.put, carts.cart_update],
    "Checkout": [carts.checkout_event, checkout.reentered],
    "Abandonment": [carts.abandon, carts.reopen, carts.lose, deadlines],
    "Orders": [orders, orders.purchase, orders.foreign_purchase, orders.refund, orders.cancel],
    "Late orders": [late.late_order],
    "Friction": [
        friction,
        friction.slow_page,
        checkout.unexpected_cost,
        friction.form_errors,
        friction.coupon_denied,
        clicks.rage_click,
        walks.u_turn,
        walks.loop,
        friction.out_of_stock,
        friction.search_no_results,
        friction.account_wall,
        friction.support_page,
    ],
    "Causes": [causes, causes.causes_of_cart, causes.causes_of_session],
    "Signals": [signals, signals.stage_entered, signals.session_left],
}
"""What is said where; a function that moves breaks this list, not silently the page."""


def rules_text() -> str:
    """Return the rules as Markdown, and the thresholds they are decided by."""
    told = [part for heading, deciders in SECTIONS.items() for part in _section(heading, deciders)]
    return "\n\n".join([*told, "### Thresholds", *_thresholds()]) + "\n"


def _section(heading: str, deciders: list[Decides]) -> Iterator[str]:
    yield f"### {heading}"
    for decider in deciders:
        text = inspect.getdoc(decider)
        if not text:
            raise ValueError(f"{heading}: {decider.__name__} says nothing")
        yield f"{text}" if inspect.ismodule(decider) else f"`{decider.__name__}`: {text}"


def _thresholds() -> Iterator[str]:
    """Yield a table of every single value of the default policy."""
    yield "| threshold | default |\n|---|---|\n" + "\n".join(
        f"| `{group}.{name}` | {value} |"
        for group, values in msgspec.to_builtins(Policy()).items()
        if isinstance(values, dict) and not group.startswith("stage_of")
        for name, value in values.items()
        if not isinstance(value, list)
    )
