"""The simulated shop: seeded, and every kind of journey occurs."""

import itertools
from collections import Counter

from services.demo.journeys import Step, visits


def _first(seed: int, count: int) -> list[list[Step]]:
    return list(itertools.islice(visits(seed), count))


def test_the_same_seed_gives_the_same_shop_and_another_seed_another() -> None:
    assert _first(1, 50) == _first(1, 50)
    assert _first(1, 50) != _first(2, 50)


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
