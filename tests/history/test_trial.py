"""``waymark policy try``: what is counted, and within which bounds."""

import msgspec

from schemas.event import Event, Product
from services.history.trial import Numbers, add
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Policy, SourceRules

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
EVERYTHING = (0, START_MS + 1_000 * HOUR_MS)


def event(visitor: str, type_: str, after_ms: int, **more: object) -> Event:
    fields = {
        "event_id": f"{visitor}-{type_}-{after_ms}", "source": "shop", "type": type_,
        "visitor_id": visitor, "ts_ms": START_MS + after_ms, "received_ms": START_MS + after_ms,
    }  # fmt: skip
    return msgspec.convert(fields | more, Event)


def fold(*events: Event) -> Rows:
    rules = SourceRules(Policy(), "EUR")
    return fold_history(events, lambda _source: rules, START_MS + 500 * HOUR_MS, 1)


def count(rows: Rows, bounds: tuple[int, int] = EVERYTHING) -> Numbers:
    numbers = Numbers(signals={}, stages={})
    add(numbers, rows, bounds)
    return numbers


GOODS = [msgspec.to_builtins(Product(product_id="p", price=100, quantity=1))]
SHOPPERS = (
    event("bounces", "page_view", 0, page_kind="home"),
    event("leaves", "cart_add", 1_000, products=GOODS),
    event("buys", "cart_add", 2_000, products=GOODS),
    event("buys", "purchase", 3_000, order_id="o1", value=100, currency="EUR"),
)


def test_each_number_counts_what_it_says() -> None:
    found = count(fold(*SHOPPERS))
    assert (found.sessions, found.bounced, found.bounce_of, found.orders) == (3, 1, 1, 1)
    assert (found.carts_abandoned, found.carts_resolved) == (1, 2)
    assert found.stages == {"discovery": 1, "intent": 2, "purchase": 1}
    assert found.signals["cart_abandoned"] == found.signals["converted"] == 1


def test_only_what_falls_within_the_bounds_counts() -> None:
    rows = fold(*SHOPPERS)
    first_two = count(rows, (START_MS, START_MS + 2_000))
    assert (first_two.sessions, first_two.orders, first_two.carts_resolved) == (2, 0, 1)
    assert count(rows, (START_MS + 2_000, START_MS + 3_000)).orders == 0
    assert count(rows, (START_MS + 3_000, START_MS + 3_001)).orders == 1


def test_bots_tests_and_excluded_traffic_count_nowhere() -> None:
    for mark in ("bot", "test", "excluded"):
        hidden = [msgspec.structs.replace(one, **{mark: True}) for one in SHOPPERS]
        found = count(fold(*hidden))
        assert found == Numbers(signals={}, stages={}), mark
