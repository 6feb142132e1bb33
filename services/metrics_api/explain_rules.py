"""The rules in plain words: for each outcome and signal, what decides it and by which thresholds.

Placeholders such as ``{cart.idle_ms}`` are paths into the policy; what stands there when the
question is asked is shown, so that the words never say another number than the fold used.
"""

import re
from typing import Any

from msgspec import Struct

from schemas.spans import DAY_MS, HOUR_MS, MINUTE_MS
from services.sessionizer.core.policy import Policy

_PLACE = re.compile(r"\{([a-z_.]+)\}")
_UNITS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1_000, "s"))


class Rule(Struct, frozen=True):
    """A rule: its heading in the design, and its words with places for thresholds."""

    name: str
    words: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The thresholds it depends on, as paths into the policy."""
        return tuple(dict.fromkeys(_PLACE.findall(self.words)))

    def thresholds(self, policy: Policy) -> dict[str, Any]:
        """Return the thresholds as they stand, in milliseconds where the name says so."""
        return {path: value_at(policy, path) for path in self.paths}

    def text(self, policy: Policy) -> str:
        """Return the words with the thresholds in them."""
        return _PLACE.sub(lambda found: shown(found[1], value_at(policy, found[1])), self.words)


def value_at(policy: Policy, path: str) -> Any:
    """Return what a path such as ``cart.idle_ms`` names in a policy."""
    value: Any = policy
    for name in path.split("."):
        value = getattr(value, name)
    return value


def shown(path: str, value: Any) -> str:
    """Return a threshold as people say it: durations with a unit, shares in percent."""
    if path.endswith("_rise"):
        return f"{value:.0%}"
    if not path.endswith("_ms"):
        return str(value)
    for size, unit in _UNITS:
        if value >= size and value % size == 0:
            return f"{int(value // size)} {unit}"
    return f"{value:g} ms"


SESSION = Rule(
    "Session",
    "A visit is a visitor's active events with no gap longer than {session.gap_ms}, and at most "
    "{session.max_ms} from its start; it closes when the first of the two has passed.",
)
CART_OPEN = Rule(
    "Carts",
    "A cart is open from the first add until it is emptied, bought, or {cart.idle_ms} pass without "
    "an active event of the visitor ({cart.checkout_idle_ms} once checkout began).",
)
SINGLE_PAGE = Rule("Bounce", "A closed visit bounced when it had exactly one page view.")

_FRICTION: dict[str, str] = {
    "slow_page": "A page showed its main content after more than {friction.slow_lcp_ms}, or took "
    "more than {friction.slow_load_ms} to load.",
    "unexpected_cost": "The total at a checkout step exceeded the cart's by more than "
    "{friction.cost_rise} and by more than {friction.cost_rise_major} in the cart's currency.",
    "form_struggle": "One form showed {friction.form_errors} errors in a visit, or one checkout "
    "step was entered again {friction.step_reentries} times.",
    "error": "The storefront reported an error.",
    "coupon_denied": "A coupon was denied.",
    "rage_click": "{friction.rage_clicks} clicks within {friction.rage_window_ms} on one element, "
    "or within {friction.rage_px} pixels.",
    "dead_click": "A click had no effect.",
    "u_turn": "The visitor went back within {friction.u_turn_ms} of opening a page.",
    "loop": "The visitor went between two pages, each at least {friction.loop_visits} times "
    "within {friction.loop_window_ms}.",
    "payment_failed": "A payment failed.",
    "out_of_stock": "Something the visitor looked at was out of stock.",
    "search_no_results": "A search found nothing.",
    "account_wall": "An account page came between the checkout's beginning and leaving.",
    "support_sought": "The visitor asked for support or opened a support page.",
}

RULES: dict[str, Rule] = {
    "session": SESSION,
    "cart": CART_OPEN,
    "stage_entered": Rule(
        "Stages",
        "The first event of a stage in a visit enters it; the stage of an event is what the "
        "policy's table says of its type or page. Stages that were skipped are not implied.",
    ),
    "bounce": Rule(
        "Bounce",
        "A closed visit with a page view bounced when it was not engaged: not longer than "
        "{session.engaged_ms}, fewer than {session.engaged_page_views} page views, no purchase, "
        "sign-up, checkout or survey answer, and no more than {session.engaged_ms} of measured "
        "attention.",
    ),
    "browse_abandoned": Rule(
        "Signals",
        "A product was looked at, no cart was touched and nothing bought when the visit closed, "
        "{session.gap_ms} after its last active event.",
    ),
    "cart_abandoned": Rule(
        "Carts",
        "A cart counts as left once the visitor has had no active event for {cart.idle_ms}. "
        "Coming back later does not unsay it.",
    ),
    "checkout_abandoned": Rule(
        "Carts",
        "A checkout counts as left once it began and the visitor has had no active event for "
        "{cart.checkout_idle_ms}.",
    ),
    "cart_recovered": Rule(
        "Carts", "The visitor's order came after the cart was left and within {cart.recovery_ms}."
    ),
    "cart_lost": Rule("Carts", "No order came within {cart.recovery_ms} after the cart was left."),
    "cart_emptied": Rule("Carts", "The last line was removed before the cart counted as left."),
    "converted": Rule(
        "Orders",
        "A visitor's first purchase of an order id converts whatever cart is open, all its lines.",
    ),
    **{kind: Rule("Friction", words) for kind, words in _FRICTION.items()},
}
"""The rule behind each kind of signal, and behind a session and an open cart."""


def rule_of(kind: str, policy: Policy) -> Rule:
    """Return the rule of a kind under a policy."""
    if kind == "bounce" and policy.session.bounce == "single_page":
        return SINGLE_PAGE
    return RULES[kind]
