"""Orders: what they resolve, what is remembered of them, and what a late one takes back."""

import pytest

from schemas.event import Product
from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, SOCK, Shopper, ms

LEFT = 30 * MINUTE


def with_shoe() -> Shopper:
    return Shopper()("cart_add", 0, products=[SHOE])


def test_an_order_converts_the_whole_open_cart() -> None:
    shopper = with_shoe()("cart_add", 1, products=[SOCK])("purchase", 9, order_id="O", value=100)
    row = shopper.wait(20 * DAY).carts[-1]
    assert (row.outcome, row.order_id, row.converted_ms, row.recovered_ms) == (
        *("converted", "O", ms(9)),
        None,
    )
    assert (len(row.lines), row.value, row.bucket_ms) == (2, 5_500, ms(1))
    assert shopper.kinds == ["converted"]


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        (LEFT, "converted"),
        (LEFT + 0.001, "recovered"),
        (LEFT + 7 * DAY, "recovered"),
        (LEFT + 7 * DAY + 0.001, "lost"),
    ],
)
def test_converted_until_it_is_abandoned_recovered_for_seven_days_then_lost(
    at: float, outcome: str
) -> None:
    shopper = with_shoe()("purchase", at, order_id="O").wait(30 * DAY)
    assert shopper.carts[-1].outcome == outcome
    assert ("cart_recovered" in shopper.kinds) == (outcome == "recovered")
    assert shopper.kinds.count("converted") == 1


def test_a_recovery_keeps_when_and_what_was_abandoned() -> None:
    shopper = with_shoe().wait(HOUR)("purchase", 2 * HOUR, order_id="O")
    row = shopper.carts[-1]
    assert (row.abandoned_ms, row.recovered_ms, row.reopened_ms) == (
        *(ms(LEFT), ms(2 * HOUR)),
        ms(2 * HOUR),
    )
    assert (row.abandoned_value, row.bucket_ms) == (5_000, ms(0))


def test_a_repeat_of_an_order_is_a_row_and_nothing_else() -> None:
    shopper = Shopper()("purchase", 0, order_id="O")("cart_add", 5, products=[SHOE])
    shopper("purchase", 9, order_id="O").look()
    assert shopper.carts[-1].outcome == "open"
    assert [(row.order_id, row.cart_id) for row in shopper.orders] == [("O", ""), ("O", "")]
    assert shopper.kinds == ["converted"]


def test_an_order_without_an_id_is_known_by_its_event() -> None:
    shopper = Shopper()("purchase", 0, event_id="e1")("purchase", 1, event_id="e2")
    assert [row.order_id for row in shopper.orders] == ["e1", "e2"]
    assert shopper.kinds == ["converted", "converted"]


def test_an_order_is_remembered_when_everything_else_is_forgotten() -> None:
    shopper = Shopper()("purchase", 0, order_id="O").wait(HOUR)
    shopper("cart_add", 100 * DAY, products=[SHOE])("purchase", 100 * DAY + 1, order_id="O").look()
    assert shopper.carts[-1].outcome == "open"


def test_an_order_row_says_where_and_how_it_came() -> None:
    shopper = Shopper()("cart_add", 0, channel="email", products=[SHOE])
    shopper("purchase", 9, order_id="O", value=5_900, shipping=500, tax=400, user_id="U").look()
    (row,) = shopper.orders
    assert (row.order_id, row.value, row.shipping, row.tax, row.user_id) == (
        *("O", 5_900),
        *(500, 400, "U"),
    )
    assert (row.session_id, row.cart_id) == (
        shopper.sessions[-1].session_id,
        shopper.carts[-1].cart_id,
    )
    assert (row.named, row.channel, row.past_buyer, row.currency) == (True, "email", False, "USD")


def test_an_order_without_a_value_is_worth_its_priced_lines_or_unknown() -> None:
    lines = [SHOE, Product(product_id="x"), Product(product_id="y", price=100, quantity=3)]
    shopper = Shopper()("purchase", 0, order_id="A", products=lines)("purchase", 1, order_id="B")
    assert [row.value for row in shopper.orders] == [5_300, None]


def test_refunds_and_cancels_are_rows_at_their_own_time_without_a_cart() -> None:
    shopper = with_shoe()("refund", 5, order_id="O", value=10)("cancel", 6, order_id="O")
    assert [(r.kind, r.at_ms, r.value, r.cart_id) for r in shopper.orders] == [
        ("refund", ms(5), 10, ""),
        ("cancel", ms(6), None, ""),
    ]


def test_a_copy_that_names_another_visitor_changes_the_cart_only() -> None:
    shopper = with_shoe()("purchase", 9, visitor_id="laptop", to="v", order_id="O", user_id="U")
    row = shopper.look().carts[-1]
    assert (row.outcome, row.order_id) == ("converted", "O")
    assert (shopper.orders, shopper.sessions[-1].events) == ([], 1)
    assert shopper.sessions[-1].reached == ["intent"]
    assert (shopper.state.user_id, shopper.state.bought_ms) == ("", None)


def test_a_copy_that_names_nobody_is_a_passive_purchase() -> None:
    shopper = with_shoe()("purchase", 9, visitor_id="", to="v", order_id="O").look()
    assert [row.named for row in shopper.orders] == [False]
    session = shopper.sessions[-1]
    assert (session.ended_ms, session.events, session.reached) == (ms(0), 2, ["intent", "purchase"])


def test_an_order_with_no_session_and_no_cart_signals_nothing() -> None:
    shopper = Shopper()("purchase", 0, origin="server")
    assert (shopper.signals, len(shopper.orders)) == ([], 1)


def test_a_late_order_before_the_abandonment_takes_it_back() -> None:
    shopper = with_shoe()("checkout_start", 60).wait(HOUR).late_order(5 * MINUTE, order_id="O")
    row = shopper.carts[-1]
    assert (row.outcome, row.abandoned_ms, row.abandoned_value, row.causes) == (
        *("converted", None, None),
        [],
    )
    assert (row.converted_ms, row.bucket_ms) == (ms(5 * MINUTE), ms(60))
    back = [(s.kind, s.at_ms) for s in shopper.signals if s.retracted]
    assert back == [
        ("checkout_abandoned", ms(16 * MINUTE)),
        ("cart_abandoned", ms(31 * MINUTE)),
    ]
    first, last = (s for s in shopper.signals if s.kind == "cart_abandoned")
    assert first.signal_id == last.signal_id
    assert last.version > first.version
    assert shopper.orders[-1].order_id == "O"


def test_a_late_order_after_the_abandonment_recovers_and_takes_back_the_loss() -> None:
    shopper = with_shoe()("checkout_start", 60).wait(20 * MINUTE)
    for number in range(1, 3 * 24 * 7 + 2):
        shopper("scroll", number * 20 * MINUTE)
    assert shopper.carts[-1].outcome == "lost"
    shopper.late_order(17 * MINUTE, order_id="O")
    row = shopper.carts[-1]
    assert (row.outcome, row.lost_ms, row.recovered_ms) == ("recovered", None, ms(17 * MINUTE))


def test_a_late_order_leaves_a_cart_alone_that_ended_before_it_or_began_after() -> None:
    emptied = with_shoe()("cart_remove", 5, products=[SHOE])("scroll", 60)
    emptied.late_order(5, order_id="O")
    assert emptied.carts[-1].outcome == "emptied"
    younger = Shopper()("scroll", 0)("cart_add", 60).late_order(30, order_id="O").look()
    assert younger.carts[-1].outcome == "open"


def test_a_late_order_before_the_emptying_takes_that_back() -> None:
    shopper = with_shoe()("cart_remove", 5, products=[SHOE])("scroll", 60)
    shopper.late_order(4, order_id="O")
    row = shopper.carts[-1]
    assert (row.outcome, row.emptied_ms, row.converted_ms) == ("converted", None, ms(4))
    assert [s.kind for s in shopper.signals if s.retracted] == ["cart_emptied"]


def test_a_late_copy_of_another_visitors_order_writes_no_order_row() -> None:
    shopper = with_shoe().wait(HOUR).late_order(60, visitor_id="laptop", to="v", order_id="O")
    assert (shopper.orders, shopper.carts[-1].outcome) == ([], "converted")
