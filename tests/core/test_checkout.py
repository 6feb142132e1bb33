"""Checkout: when it is abandoned, and how far it came."""

import pytest

from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, Shopper, ms


def test_fifteen_idle_minutes_abandon_a_checkout_and_thirty_the_cart_at_the_first_time() -> None:
    shopper = Shopper()("cart_add", 0, products=[SHOE])("checkout_start", 60).wait(HOUR)
    assert shopper.kinds == ["checkout_abandoned", "cart_abandoned"]
    assert shopper.told("checkout_abandoned").at_ms == ms(16 * MINUTE)
    assert shopper.told("cart_abandoned").at_ms == ms(31 * MINUTE)
    assert {row.abandoned_ms for row in shopper.carts} == {ms(16 * MINUTE)}


@pytest.mark.parametrize(("idle", "left"), [(15 * MINUTE - 0.001, False), (15 * MINUTE, True)])
@pytest.mark.parametrize(
    "kind", ["checkout_start", "checkout_step", "payment_info", "payment_failed"]
)
def test_what_begins_a_checkout(kind: str, idle: float, left: bool) -> None:
    shopper = Shopper()(kind, 0).wait(idle)
    assert ("checkout_abandoned" in shopper.kinds) == left


@pytest.mark.parametrize("kind", ["payment_info", "payment_failed"])
def test_a_payment_that_a_server_reports_begins_no_checkout(kind: str) -> None:
    shopper = Shopper()("cart_add", 0)(kind, 1, origin="server").wait(20 * MINUTE)
    assert shopper.kinds == (["payment_failed"] if kind == "payment_failed" else [])


def test_a_checkout_begun_after_the_cart_was_abandoned_is_told_once() -> None:
    shopper = Shopper()("cart_add", 0).wait(HOUR)("checkout_start", 2 * HOUR)
    shopper.wait(3 * HOUR)("checkout_step", 4 * HOUR).wait(DAY)
    assert shopper.kinds == ["cart_abandoned", "checkout_abandoned"]
    assert {row.abandoned_ms for row in shopper.carts} == {ms(30 * MINUTE)}


def test_the_furthest_step_is_the_last_one_entered_for_the_first_time() -> None:
    shopper = Shopper()("checkout_start", 0)("checkout_step", 1, checkout_step="address")
    shopper("checkout_step", 2, checkout_step="shipping")("checkout_step", 3)
    shopper("checkout_step", 4, checkout_step="address").look()
    row = shopper.carts[-1]
    assert (row.checkout_steps, row.checkout_step) == (["start", "address", "shipping"], "shipping")
    assert (shopper.sessions[-1].checkout_step, shopper.sessions[-1].checkout_started) == (
        *("shipping", True),
    )
    shopper("payment_info", 5).wait(HOUR)
    assert shopper.told("checkout_abandoned").details == {"checkout_step": "payment"}


def test_products_of_a_checkout_become_the_lines_only_where_it_opens_the_episode() -> None:
    opened = Shopper()("checkout_start", 0, products=[SHOE]).look().carts[-1]
    later = Shopper()("cart_add", 0)("checkout_start", 1, products=[SHOE]).look().carts[-1]
    assert (opened.value, later.value) == (5_000, 0)


def test_a_checkout_in_a_later_visit_is_that_visits() -> None:
    shopper = Shopper()("checkout_start", 0).wait(HOUR)("scroll", 2 * HOUR).look()
    assert [row.checkout_started for row in shopper.sessions] == [True, False]
