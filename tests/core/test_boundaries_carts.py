"""Where a cart opens, is left, comes back and ends: one boundary a test."""

import pytest

from schemas.event import Event
from schemas.rows import CartRow
from tests.oracle.feed import Feed
from tests.oracle.shop import (
    CUP,
    DAY,
    HOUR,
    MINUTE,
    RULES,
    SECOND,
    T0,
    TEA,
    does,
    ever_told,
    live,
    rows_of,
    told,
)

ADD = does("cart_add", 0, products=[TEA])
LEFT = 30 * MINUTE
"""When a cart without checkout counts as left, its last event being at 0."""


def the_cart(rows: list[CartRow]) -> CartRow:
    (cart,) = {row.cart_id: row for row in sorted(rows, key=lambda r: r.version)}.values()
    return cart


def test_a_cart_left_for_thirty_minutes_is_abandoned_and_after_seven_days_lost() -> None:
    rows = rows_of([ADD], 8 * DAY)
    cart = the_cart(rows.carts)
    assert (cart.outcome, cart.abandoned_value, cart.bucket_ms) == ("lost", 1_000, T0)
    assert told(rows.signals) == [("cart_abandoned", LEFT), ("cart_lost", LEFT + 7 * DAY)]


@pytest.mark.parametrize("at", [LEFT - SECOND, LEFT])
def test_a_purchase_up_to_the_instant_of_abandonment_converts(at: int) -> None:
    rows = rows_of([ADD, does("purchase", at, order_id="O")], DAY)
    cart = the_cart(rows.carts)
    assert (cart.outcome, cart.abandoned_ms, cart.order_id) == ("converted", None, "O")
    assert (cart.bucket_ms, cart.converted_ms) == (T0, T0 + at)
    assert told(rows.signals) == [("converted", at)]


@pytest.mark.parametrize("at", [LEFT + 1, LEFT + SECOND])
def test_a_purchase_after_the_abandonment_recovers(at: int) -> None:
    rows = rows_of([ADD, does("purchase", at, order_id="O")], DAY)
    cart = the_cart(rows.carts)
    assert (cart.outcome, cart.abandoned_ms) == ("recovered", T0 + LEFT)
    assert (cart.recovered_ms, cart.reopened_ms, cart.bucket_ms) == (T0 + at, T0 + at, T0)
    assert told(rows.signals) == [
        ("cart_abandoned", LEFT),
        ("cart_recovered", at),
        ("converted", at),
    ]


def delivered_late(at: int) -> Feed:
    """Deliver a purchase two minutes after its time, while the log ticks."""
    feed = Feed(RULES)
    feed.append(T0, [ADD])
    feed.quiet(T0 + at + 2 * MINUTE)
    feed.append(T0 + at + 2 * MINUTE, [does("purchase", at, order_id="O")])
    feed.finish(T0 + 2 * HOUR)
    return feed


def test_a_purchase_before_the_abandonment_delivered_after_it_takes_the_abandonment_back() -> None:
    feed = delivered_late(LEFT - SECOND)
    cart = the_cart(feed.carts)
    assert (cart.outcome, cart.abandoned_ms) == ("converted", None)
    assert told(feed.signals) == [("converted", LEFT - SECOND)]
    said = [row.retracted for row in feed.signals if row.kind == "cart_abandoned"]
    assert said == [False, True]
    assert [flag.flag for flag in feed.flags] == ["late_order"]
    assert [order.order_id for order in feed.orders] == ["O"]


def test_a_purchase_after_the_abandonment_delivered_late_recovers() -> None:
    feed = delivered_late(LEFT + SECOND)
    assert the_cart(feed.carts).outcome == "recovered"
    assert told(feed.signals) == [
        ("cart_abandoned", LEFT),
        ("cart_recovered", LEFT + SECOND),
        ("converted", LEFT + SECOND),
    ]


@pytest.mark.parametrize(("more", "outcome"), [(0, "recovered"), (1, "lost")])
def test_seven_days_count_to_the_last_millisecond(more: int, outcome: str) -> None:
    at = LEFT + 7 * DAY + more
    cart = the_cart(rows_of([ADD, does("purchase", at, order_id="O")], 9 * DAY).carts)
    assert cart.outcome == outcome
    assert cart.order_id == ("O" if outcome == "recovered" else "")


def test_coming_back_unsays_nothing_and_puts_nothing_off() -> None:
    rows = rows_of([ADD, does("cart_add", DAY, products=[CUP])], 8 * DAY)
    cart = the_cart(rows.carts)
    assert (cart.outcome, cart.reopened_ms, cart.value) == ("lost", T0 + DAY, 1_500)
    assert (cart.abandoned_value, cart.lost_ms) == (1_000, T0 + LEFT + 7 * DAY)
    assert told(rows.signals) == [("cart_abandoned", LEFT), ("cart_lost", LEFT + 7 * DAY)]


def test_after_a_lost_cart_the_next_add_opens_another() -> None:
    rows = rows_of([ADD, does("cart_add", 8 * DAY, products=[CUP])], 8 * DAY + MINUTE)
    assert [cart.outcome for cart in rows.carts] == ["lost", "open"]


def test_a_cart_emptied_is_not_abandoned_and_refilled_is_another() -> None:
    events = [
        ADD,
        does("cart_remove", MINUTE, products=[TEA]),
        does("cart_add", 2 * MINUTE, products=[CUP]),
    ]
    rows = rows_of(events, HOUR)
    first, second = rows.carts
    assert (first.outcome, first.emptied_ms, first.value) == ("emptied", T0 + MINUTE, 0)
    assert (first.bucket_ms, first.abandoned_ms) == (T0, None)
    assert (second.outcome, second.abandoned_value) == ("abandoned", 500)
    assert told(rows.signals) == [("cart_emptied", MINUTE), ("cart_abandoned", 32 * MINUTE)]


def test_emptying_an_abandoned_cart_takes_its_lines_not_the_episode() -> None:
    events = [ADD, does("cart_update", HOUR, products=[]), does("cart_add", HOUR + 1)]
    cart = the_cart(rows_of(events, 2 * HOUR).carts)
    assert (cart.outcome, cart.emptied_ms, cart.lines) == ("abandoned", None, [])
    assert cart.abandoned_value == 1_000


def test_taking_off_one_of_two_does_not_empty() -> None:
    two = does("cart_add", 1, products=[TEA])
    events = [ADD, two, does("cart_remove", 2, products=[TEA])]
    cart = the_cart(rows_of(events, MINUTE).carts)
    assert (cart.outcome, [line.quantity for line in cart.lines]) == ("open", [1])


def test_an_add_after_the_purchase_opens_another_cart() -> None:
    events = [
        ADD,
        does("purchase", MINUTE, order_id="O"),
        does("cart_add", MINUTE, event_id="z", products=[CUP]),
        does("cart_add", MINUTE + 1, products=[TEA]),
    ]
    rows = rows_of(events, 2 * MINUTE)
    first, second = rows.carts
    assert (first.outcome, first.value) == ("converted", 1_500)
    assert (second.outcome, second.opened_ms) == ("open", T0 + MINUTE + 1)


def late_add(delay: int) -> tuple[list[Event], Feed]:
    """Deliver an add of a second before the purchase after it."""
    purchase = does("purchase", MINUTE, order_id="O")
    more = does("cart_add", MINUTE - SECOND, products=[CUP])
    feed = Feed(RULES)
    feed.append(T0, [ADD])
    feed.quiet(T0 + MINUTE)
    feed.append(T0 + MINUTE, [purchase])
    feed.quiet(T0 + MINUTE - SECOND + delay)
    feed.append(T0 + MINUTE - SECOND + delay, [more])
    feed.finish(T0 + 2 * HOUR)
    return [ADD, purchase, more], feed


def test_an_add_that_belongs_to_the_order_and_comes_within_the_grace_is_in_it() -> None:
    _, feed = late_add(29 * SECOND)
    cart = the_cart(feed.carts)
    assert (cart.outcome, cart.value, feed.flags) == ("converted", 1_500, [])


def test_an_add_that_belongs_to_the_order_and_comes_later_opens_no_cart_and_is_marked() -> None:
    events, feed = late_add(5 * MINUTE)
    cart = the_cart(feed.carts)
    assert (cart.outcome, cart.value) == ("converted", 1_000)
    assert [flag.flag for flag in feed.flags] == ["late"]
    assert "cart_abandoned" not in ever_told(feed.signals)
    assert the_cart(rows_of(events, 2 * HOUR).carts).value == 1_500


def test_a_checkout_left_is_told_at_fifteen_minutes_the_cart_at_thirty() -> None:
    rows = rows_of([ADD, does("checkout_start", MINUTE)], HOUR)
    cart = the_cart(rows.carts)
    assert (cart.abandoned_ms, cart.checkout_step) == (T0 + 16 * MINUTE, "start")
    assert told(rows.signals) == [
        ("checkout_abandoned", 16 * MINUTE),
        ("cart_abandoned", 31 * MINUTE),
    ]


def test_a_checkout_begun_twice_is_left_once_with_its_furthest_step() -> None:
    events = [
        ADD,
        does("checkout_start", MINUTE),
        does("checkout_step", 2 * MINUTE, checkout_step="payment"),
        does("checkout_start", 40 * MINUTE),
    ]
    rows = rows_of(events, 2 * HOUR)
    cart = the_cart(rows.carts)
    assert (cart.checkout_steps, cart.checkout_step) == (["start", "payment"], "payment")
    assert (cart.abandoned_ms, cart.reopened_ms) == (T0 + 17 * MINUTE, T0 + 40 * MINUTE)
    assert [signal for signal in told(rows.signals) if "abandoned" in signal[0]] == [
        ("checkout_abandoned", 17 * MINUTE),
        ("cart_abandoned", 32 * MINUTE),
    ]


def test_a_checkout_begun_after_the_cart_was_left_can_still_be_left() -> None:
    rows = rows_of([ADD, does("checkout_start", HOUR)], 2 * HOUR)
    assert told(rows.signals) == [
        ("cart_abandoned", LEFT),
        ("checkout_abandoned", HOUR + 15 * MINUTE),
    ]
    assert the_cart(rows.carts).abandoned_ms == T0 + LEFT


def test_a_checkout_without_a_cart_opens_one_without_lines() -> None:
    rows = rows_of([does("checkout_start", 0, value=2_500)], HOUR)
    cart = the_cart(rows.carts)
    assert (cart.lines, cart.value, cart.outcome) == ([], 2_500, "abandoned")


def test_a_purchase_with_no_cart_is_an_order_of_its_visit() -> None:
    rows = rows_of([does("page_view", 0), does("purchase", 1, order_id="O", value=700)], DAY)
    (session,) = rows.sessions
    (order,) = rows.orders
    assert rows.carts == []
    assert (order.session_id, order.cart_id, order.value) == (session.session_id, "", 700)
    (converted,) = (row for row in rows.signals if row.kind == "converted")
    assert (converted.session_id, converted.cart_id) == (session.session_id, "")


def test_a_webhook_order_of_a_visitor_who_is_gone_is_an_order_without_a_signal() -> None:
    rows = rows_of([does("purchase", 0, order_id="O", origin="server")], DAY)
    assert (rows.sessions, rows.signals) == ([], [])
    assert [order.session_id for order in rows.orders] == [""]


def test_the_same_order_told_again_is_a_second_row_and_no_second_conversion() -> None:
    events = [
        ADD,
        does("purchase", MINUTE, order_id="O", value=1_000),
        does("cart_add", 2 * MINUTE, products=[CUP]),
        does("purchase", 3 * MINUTE, order_id="O", value=1_000, origin="server"),
    ]
    rows = rows_of(events, 4 * MINUTE)
    assert [cart.outcome for cart in rows.carts] == ["converted", "open"]
    assert [(order.order_id, order.event_id) for order in rows.orders] == [
        ("O", f"purchase-v-{MINUTE}"),
        ("O", f"purchase-v-{3 * MINUTE}"),
    ]
    assert told(rows.signals) == [("converted", MINUTE)]


def test_a_refund_larger_than_the_order_is_a_row_at_its_own_time_as_stated() -> None:
    events = [
        does("purchase", 0, order_id="O", value=1_000),
        does("refund", DAY, order_id="O", value=5_000),
        does("cancel", 2 * DAY, order_id="O"),
    ]
    rows = rows_of(events, 3 * DAY)
    assert [(row.kind, row.at_ms - T0, row.value) for row in rows.orders] == [
        ("order", 0, 1_000),
        ("refund", DAY, 5_000),
        ("cancel", 2 * DAY, None),
    ]
    assert len(rows.sessions) == 1


def test_equal_deadlines_tell_the_cart_before_the_visit_so_that_the_visit_knows() -> None:
    slow = does("error", MINUTE)
    rows = rows_of([ADD, slow], DAY)
    (session,) = rows.sessions
    assert (session.closed_ms, session.causes) == (T0 + LEFT, ["error"])


def test_browsing_keeps_a_cart_from_being_left() -> None:
    events = [ADD, *(does("page_view", n * 20 * MINUTE) for n in range(1, 5))]
    assert told(rows_of(events, 100 * MINUTE).signals) == []
    rows = rows_of(events, 2 * HOUR + MINUTE)
    cart = the_cart(rows.carts)
    assert (cart.abandoned_ms, cart.bucket_ms) == (T0 + 110 * MINUTE, T0 + 80 * MINUTE)


def test_what_the_backend_tells_later_keeps_no_cart_from_being_left() -> None:
    hook = does("payment_failed", 20 * MINUTE, origin="server")
    feed = live([ADD, hook], 2 * HOUR)
    assert told(feed.signals)[-1] == ("cart_abandoned", LEFT)
    assert the_cart(feed.carts).causes == ["payment_failed"]
