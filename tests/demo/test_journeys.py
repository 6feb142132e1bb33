"""The simulated shop: seeded, and every kind of journey occurs."""

import itertools
from collections import Counter

from services.common.catalog_rows import SHORT_TIMES
from services.common.policy_file import parse_policy
from services.demo.journeys import Step, visits
from services.demo.traffic import ARRIVAL_MS

MINUTE_MS = 60_000


def _first(seed: int, count: int) -> list[list[Step]]:
    return list(itertools.islice(visits(seed), count))


def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    assert _first(1, 50) == _first(1, 50)
    assert _first(1, 50) != _first(2, 50)


def _ends(seed: int) -> list[int]:
    """Return when the carts that are left in a first minute are told of, since the start."""
    policy = parse_policy(SHORT_TIMES, "of the demo")
    found = []
    for number, steps in enumerate(_first(seed, MINUTE_MS // ARRIVAL_MS)):
        kinds = {step.event["type"] for step in steps}
        if "cart_add" in kinds and "purchase" not in kinds:
            left = "checkout_start" in kinds
            idle_ms = policy.cart.checkout_idle_ms if left else policy.cart.idle_ms
            spent_ms = sum(step.after_ms for step in steps)
            found.append(number * ARRIVAL_MS + spent_ms + idle_ms + policy.time.grace_ms)
    return found


def test_the_first_cart_or_checkout_is_left_within_a_minute_of_the_start() -> None:
    first = sorted(min(_ends(seed)) for seed in range(200))
    assert first[len(first) // 2] < MINUTE_MS * 3 // 4
    assert first[-3] < MINUTE_MS, "at one start in a hundred it may take a little longer"


def test_who_comes_back_to_buy_had_left_the_cart() -> None:
    idle_ms = parse_policy(SHORT_TIMES, "of the demo").cart.idle_ms
    back = [
        step.after_ms for visit in _first(1, 400) for step in visit
        if step.event["type"] == "cart_view"
    ]  # fmt: skip
    assert back
    assert min(back) > idle_ms


def test_every_kind_of_journey_occurs() -> None:
    types = Counter(step.event["type"] for visit in _first(1, 400) for step in visit)
    for kind in ("page_view", "product_view", "cart_add", "checkout_step", "purchase", "review"):
        assert types[kind] > 0, kind
    for kind in ("payment_failed", "coupon", "survey_response", "search", "performance"):
        assert types[kind] > 0, kind


def test_a_webhook_order_names_no_visitor_and_a_browser_order_does() -> None:
    orders = [
        step.event for visit in _first(1, 400) for step in visit if step.event["type"] == "purchase"
    ]
    told = Counter("visitor_id" in order for order in orders)
    assert told[True] > 0
    assert told[False] > 0
    assert all(order["cart_id"] for order in orders)


def test_money_is_written_in_decimals() -> None:
    values = [
        step.event["value"] for visit in _first(3, 200) for step in visit if "value" in step.event
    ]
    assert values
    assert all(isinstance(value, str) and value[-3] == "." for value in values)
