"""The life of a cart: what opens, changes, empties and abandons it, and what it is worth."""

from typing import Any, get_args

import pytest

from schemas.event import EventType, Product
from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, SOCK, Shopper, ms

OPENING = {
    *("cart_add", "cart_update", "checkout_start", "checkout_step"),
    *("payment_info", "payment_failed"),
}
TOUCHING = OPENING | {"cart_remove", "cart_view", "coupon"}
TYPES = get_args(EventType)


def cart(shopper: Shopper) -> Any:
    return shopper.look().carts[-1]


def with_shoe() -> Shopper:
    return Shopper()("cart_add", 0, products=[SHOE])


@pytest.mark.parametrize("kind", TYPES)
def test_what_opens_an_episode_and_what_does_not(kind: str) -> None:
    shopper = Shopper()("scroll", 0)(kind, 1, products=[SHOE]).look()
    assert bool(shopper.carts) == (kind in OPENING)


@pytest.mark.parametrize("kind", TYPES)
def test_what_touches_an_episode_and_what_does_not(kind: str) -> None:
    shopper = with_shoe().wait(HOUR)(kind, 2 * HOUR)("scroll", 2 * HOUR + 1).look()
    touching = TOUCHING | {"purchase"}
    assert bool(shopper.sessions[-1].cart_id) == (kind in touching)


def test_an_add_without_products_opens_an_update_without_content_does_not() -> None:
    assert Shopper()("cart_add", 0).look().carts[-1].lines == []
    assert Shopper()("cart_update", 0).look().carts == []
    assert Shopper()("cart_update", 0, products=[]).look().carts == []
    gone = Product(product_id="x", quantity=0)
    assert Shopper()("cart_update", 0, products=[gone]).look().carts == []


@pytest.mark.parametrize("kind", ["payment_info", "payment_failed"])
def test_a_payment_that_a_server_reports_opens_nothing(kind: str) -> None:
    assert Shopper()("scroll", 0)(kind, 1, origin="server").look().carts == []


def test_adding_again_adds_up_and_replaces_what_is_stated_anew() -> None:
    again = Product(product_id="shoe", name="Shoe 2", price=4_000, quantity=2)
    row = cart(with_shoe()("cart_add", 1, products=[SOCK])("cart_add", 2, products=[again]))
    assert [(p.product_id, p.name, p.category, p.price, p.quantity) for p in row.lines] == [
        ("shoe", "Shoe 2", "shoes", 4_000, 3),
        ("sock", "Sock", "socks", 500, 1),
    ]
    assert row.value == 12_500


def test_removing_takes_the_quantity_off_and_ignores_what_is_not_there() -> None:
    two = Product(product_id="shoe", price=5_000, quantity=2)
    shopper = Shopper()("cart_add", 0, products=[two, SOCK])
    shopper("cart_remove", 1, products=[SHOE])("cart_remove", 2, products=[SOCK])
    row = cart(shopper("cart_remove", 3, products=[Product(product_id="hat")]))
    assert [(p.product_id, p.quantity) for p in row.lines] == [("shoe", 1)]


def test_an_update_replaces_all_lines_and_none_leaves_them() -> None:
    shopper = with_shoe()("cart_update", 1, products=[SOCK])("cart_update", 2)
    assert [p.product_id for p in cart(shopper).lines] == ["sock"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("cart_remove", {"products": [SHOE]}), ("cart_update", {"products": []})],
)
def test_emptying_before_any_abandonment_ends_the_episode(kind: str, fields: Any) -> None:
    shopper = with_shoe()("scroll", 5)(kind, 9, **fields).wait(10 * DAY)
    row = shopper.carts[-1]
    assert (row.outcome, row.emptied_ms, row.bucket_ms, row.last_activity_ms) == (
        *("emptied", ms(9)),
        *(ms(5), ms(9)),
    )
    assert [k for k in shopper.kinds if k.startswith("cart")] == ["cart_emptied"]
    assert len({row.cart_id for row in shopper.carts}) == 1


def test_emptying_after_an_abandonment_removes_the_lines_not_the_episode() -> None:
    shopper = with_shoe().wait(HOUR)("cart_remove", 2 * HOUR, products=[SHOE])
    row = cart(shopper)
    assert (row.outcome, row.lines, row.value, row.abandoned_value) == ("abandoned", [], 0, 5_000)
    assert (row.emptied_ms, "cart_emptied" in shopper.kinds) == (None, False)


def test_refilling_an_emptied_cart_is_another_episode() -> None:
    shopper = with_shoe()("cart_remove", 1, products=[SHOE])("cart_add", 2, products=[SOCK]).look()
    assert [(row.outcome, row.opened_ms) for row in shopper.carts] == [
        ("emptied", ms(0)),
        ("open", ms(2)),
    ]
    assert shopper.sessions[-1].cart_id == shopper.carts[-1].cart_id


@pytest.mark.parametrize(("idle", "left"), [(30 * MINUTE - 0.001, False), (30 * MINUTE, True)])
def test_thirty_idle_minutes_abandon_a_cart(idle: float, left: bool) -> None:
    shopper = with_shoe().wait(idle)
    assert ("cart_abandoned" in shopper.kinds) == left


def test_activity_of_any_kind_keeps_a_cart_and_passive_events_do_not() -> None:
    assert "cart_abandoned" not in with_shoe()("scroll", 20 * MINUTE).wait(45 * MINUTE).kinds
    assert "cart_abandoned" in with_shoe()("page_leave", 20 * MINUTE).wait(45 * MINUTE).kinds


def test_an_abandonment_is_told_once_and_counts_at_the_last_activity_before_it() -> None:
    shopper = with_shoe()("scroll", 60).wait(HOUR)("cart_add", 2 * HOUR, products=[SOCK])
    row = cart(shopper.wait(3 * HOUR))
    assert shopper.kinds.count("cart_abandoned") == 1
    assert (row.outcome, row.abandoned_ms, row.bucket_ms) == (
        *("abandoned", ms(60 + 30 * MINUTE)),
        ms(60),
    )
    assert (row.reopened_ms, row.abandoned_value, row.value) == (ms(2 * HOUR), 5_000, 5_500)


@pytest.mark.parametrize(("idle", "lost"), [(7 * DAY - 0.001, False), (7 * DAY, True)])
def test_seven_days_after_it_was_abandoned_a_cart_is_lost(idle: float, lost: bool) -> None:
    shopper = with_shoe()("scroll", 3 * DAY).wait(30 * MINUTE + idle)
    assert ("cart_lost" in shopper.kinds) == lost
    if lost:
        row = shopper.carts[-1]
        assert (row.outcome, row.lost_ms) == ("lost", ms(30 * MINUTE + 7 * DAY))


def test_after_a_loss_the_next_add_opens_a_new_episode() -> None:
    shopper = with_shoe().wait(8 * DAY)("cart_add", 8 * DAY + 1, products=[SOCK]).look()
    assert [row.outcome for row in shopper.carts] == ["abandoned", "lost", "open"]
    assert [line.product_id for line in shopper.carts[-1].lines] == ["sock"]


VALUES = [
    ([("cart_add", {"products": [SHOE], "value": 9})], 5_000),
    ([("cart_add", {"value": 9})], 0),
    ([("cart_add", {}), ("cart_view", {"value": 700})], 700),
    ([("cart_add", {}), ("cart_view", {"value": 700, "currency": "JPY"})], 0),
    ([("cart_add", {"products": [SHOE]}), ("cart_view", {"value": 700})], 5_000),
    ([("checkout_start", {"value": 700}), ("checkout_step", {"value": 800})], 800),
    ([("cart_add", {}), ("cart_view", {"value": 7}), ("cart_update", {"products": [SHOE]})], 5_000),
    (
        [("cart_add", {"products": [SHOE]}), ("cart_add", {"products": [SOCK], "currency": "EUR"})],
        5_000,
    ),
]


@pytest.mark.parametrize(("events", "value"), VALUES)
def test_what_a_cart_is_worth(events: list[tuple[str, Any]], value: int) -> None:
    shopper = Shopper()
    for at, (kind, fields) in enumerate(events):
        shopper(kind, at, **fields)
    assert cart(shopper).value == value


def test_a_cart_has_the_currency_of_its_first_add_and_keeps_foreign_lines_without_price() -> None:
    shopper = Shopper()("checkout_start", 0)("cart_add", 1, products=[SHOE], currency="EUR")
    row = cart(shopper("cart_add", 2, products=[SOCK], currency="USD"))
    assert (row.currency, [line.price for line in row.lines]) == ("EUR", [5_000, None])
    row = cart(shopper("cart_update", 3, products=[SOCK], currency="USD"))
    assert (row.currency, row.value) == ("USD", 500)


def test_the_shops_own_id_and_address_are_the_newest_stated() -> None:
    shopper = Shopper()("cart_add", 0, cart_id="C1", cart_url="https://s.example/1")
    row = cart(shopper("cart_view", 1, cart_id="C2")("scroll", 2, cart_id="C3"))
    assert (row.client_cart_id, row.cart_url) == ("C2", "https://s.example/1")


def test_a_cart_is_described_by_the_session_that_last_touched_it() -> None:
    shopper = Shopper()("cart_add", 0, channel="email", products=[SHOE]).wait(HOUR)
    shopper("scroll", 2 * HOUR, channel="direct").wait(3 * HOUR)
    assert (cart(shopper).channel, cart(shopper).session_id) == (
        "email",
        shopper.sessions[0].session_id,
    )
    shopper("page_view", DAY, channel="search")("cart_view", DAY + 1).wait(2 * DAY)
    row = cart(shopper)
    assert (row.channel, row.first_channel, row.session_id) == (
        *("search", "email"),
        shopper.sessions[-1].session_id,
    )


def test_a_cart_of_many_long_lines_keeps_the_newest_and_the_sum_of_the_rest() -> None:
    shopper = Shopper()
    for number in range(400):
        line = Product(product_id=f"p{number}", name="n" * 100, price=100)
        shopper("cart_add", number, products=[line])
    row = cart(shopper)
    assert (row.truncated, row.value, len(row.lines) < 200) == (True, 40_000, True)
    assert row.lines[-1].product_id == "p399"
