"""How an order reaches the carts of those linked to it: one boundary a test."""

import pytest

from schemas.rows import CartRow
from services.sessionizer.core.batch import Rows
from tests.oracle.shop import (
    CUP,
    DAY,
    HOUR,
    MINUTE,
    T0,
    TEA,
    does,
    ever_told,
    live,
    rows_of,
    told,
)


def cart_of(rows: Rows, visitor: str) -> CartRow:
    (cart,) = (cart for cart in rows.carts if cart.visitor_id == visitor)
    return cart


def test_a_webhook_that_knows_only_the_cart_converts_it_after_the_link() -> None:
    add = does("cart_add", 0, products=[TEA], cart_id="C")
    hook = does("purchase", 5 * MINUTE, visitor="", origin="server", order_id="O", cart_id="C")
    rows = rows_of([add, hook], 2 * HOUR)
    cart = cart_of(rows, "v")
    assert (cart.outcome, cart.converted_ms, cart.order_id) == ("converted", T0 + 5 * MINUTE, "O")
    assert told(rows.signals) == [("converted", 5 * MINUTE)]
    assert rows.sessions[0].reached == ["intent", "purchase"]
    assert {(order.visitor_id, order.named) for order in rows.orders} == {
        ("v", False),
        ("cart:C", False),
    }


def test_a_webhook_that_comes_before_the_link_converts_the_cart_all_the_same() -> None:
    events = [
        does("cart_add", 0, products=[TEA]),
        does("purchase", 5 * MINUTE, visitor="", origin="server", order_id="O", cart_id="C"),
        does("page_view", 10 * MINUTE, cart_id="C"),
    ]
    feed = live(events, 2 * HOUR)
    assert feed.flags == []
    assert told(feed.signals) == [("converted", 5 * MINUTE)]
    assert cart_of(rows_of(events, 2 * HOUR), "v").converted_ms == T0 + 5 * MINUTE


def test_a_link_that_comes_when_the_cart_was_left_already_takes_the_abandonment_back() -> None:
    events = [
        does("cart_add", 0, products=[TEA]),
        does("purchase", 5 * MINUTE, visitor="", origin="server", order_id="O", cart_id="C"),
        does("page_view", HOUR, cart_id="C"),
    ]
    feed = live(events[:2], HOUR - MINUTE)
    assert told(feed.signals) == [("cart_abandoned", 30 * MINUTE)]
    feed.append(T0 + HOUR, events[2:])
    feed.finish(T0 + 3 * HOUR)
    assert told(feed.signals) == [("converted", 5 * MINUTE), ("bounce", 90 * MINUTE)]
    assert [(flag.visitor_id, flag.flag) for flag in feed.flags] == [("v", "late_order")]


def test_a_phones_cart_paid_on_the_laptop_is_converted_and_never_told_as_left() -> None:
    events = [
        does("cart_add", 0, "phone", products=[TEA], cart_id="C"),
        does("page_view", MINUTE, "laptop"),
        does("purchase", 5 * MINUTE, "laptop", order_id="O", cart_id="C", value=1_000),
        does("page_view", 3 * DAY, "phone"),
    ]
    rows = rows_of(events, 4 * DAY)
    phone = cart_of(rows, "phone")
    assert (phone.outcome, phone.order_id) == ("converted", "O")
    assert "cart_abandoned" not in ever_told(live(events, 4 * DAY).signals, "phone")
    assert [(order.visitor_id, order.named) for order in rows.orders] == [("laptop", True)]
    visits = [row for row in rows.sessions if row.visitor_id == "phone"]
    assert [row.reached for row in visits] == [["intent"], ["discovery"]]
    assert visits[1].past_buyer is False


def test_a_cart_filled_on_the_phone_and_paid_by_the_same_user_elsewhere_is_converted() -> None:
    events = [
        does("cart_add", 0, "phone", products=[TEA], user_id="U"),
        does("purchase", 5 * MINUTE, "laptop", order_id="O", user_id="U"),
    ]
    assert cart_of(rows_of(events, 2 * HOUR), "phone").outcome == "converted"


def test_a_backend_that_knows_users_and_carts_but_no_visitors_has_its_carts_converted() -> None:
    events = [
        does("cart_add", 0, "", products=[TEA], user_id="U", cart_id="C"),
        does("purchase", 5 * MINUTE, "", origin="server", order_id="O", cart_id="C"),
    ]
    assert cart_of(rows_of(events, 2 * HOUR), "user:U").outcome == "converted"


def test_an_order_repeated_by_another_visitor_is_one_order_and_converts_both_carts() -> None:
    events = [
        does("cart_add", 0, "v", products=[TEA]),
        does("purchase", MINUTE, "v", order_id="O", value=1_000),
        does("cart_add", 0, "w", products=[CUP]),
        does("purchase", 2 * MINUTE, "w", order_id="O", value=1_000),
    ]
    rows = rows_of(events, DAY)
    assert {cart.outcome for cart in rows.carts} == {"converted"}
    assert {order.order_id for order in rows.orders} == {"O"}
    assert [order.visitor_id for order in sorted(rows.orders, key=lambda o: o.at_ms)] == ["v", "w"]


def test_the_shops_page_and_its_webhook_tell_one_order_that_converts_once() -> None:
    events = [
        does("cart_add", 0, products=[TEA], cart_id="C"),
        does("purchase", MINUTE, order_id="O", cart_id="C", value=1_000),
        does("cart_add", 2 * MINUTE, products=[CUP], cart_id="D"),
        does("purchase", 3 * MINUTE, "", origin="server", order_id="O", cart_id="C", value=1_000),
    ]
    rows = rows_of(events, 4 * MINUTE)
    assert [c.outcome for c in rows.carts if c.visitor_id == "v"] == ["converted", "open"]
    assert told(rows.signals) == [("converted", MINUTE)]


@pytest.mark.parametrize(
    ("days", "outcome"), [(-31, "lost"), (-30, "lost"), (-5, "recovered"), (0, "converted")]
)
def test_a_link_reaches_thirty_days_back(days: int, outcome: str) -> None:
    order_at = 40 * DAY
    events = [
        does("cart_add", order_at + days * DAY - MINUTE, products=[TEA], cart_id="C"),
        does("purchase", order_at, "", origin="server", order_id="O", cart_id="C"),
    ]
    rows = rows_of(events, 60 * DAY)
    assert cart_of(rows, "v").outcome == outcome
    linked = any(order.visitor_id == "v" for order in rows.orders)
    assert linked is (days >= -30)


@pytest.mark.parametrize(("days", "linked"), [(7, True), (8, False)])
def test_a_link_reaches_seven_days_ahead(days: int, *, linked: bool) -> None:
    events = [
        does("purchase", 0, "", origin="server", order_id="O", cart_id="C"),
        does("page_view", days * DAY, cart_id="C"),
    ]
    rows = rows_of(events, 10 * DAY)
    assert any(order.visitor_id == "v" for order in rows.orders) is linked


@pytest.mark.parametrize(("visitors", "outcome"), [(8, "converted"), (9, "abandoned")])
def test_an_alias_of_more_than_eight_visitors_is_shared_and_links_no_more(
    visitors: int, outcome: str
) -> None:
    names = [f"v{n}" for n in range(visitors)]
    adds = [does("cart_add", n, v, products=[TEA], cart_id="C") for n, v in enumerate(names)]
    hook = does("purchase", 5 * MINUTE, "", origin="server", order_id="O", cart_id="C")
    rows = rows_of([*adds, hook], 2 * HOUR)
    assert {cart.outcome for cart in rows.carts} == {outcome}
    assert len(rows.orders) == (9 if visitors == 8 else 1)


def test_a_webhook_nobody_is_linked_to_is_still_counted_as_an_order() -> None:
    rows = rows_of([does("purchase", 0, "", origin="server", order_id="O", value=900)], DAY)
    assert [(o.visitor_id, o.value) for o in rows.orders] == [("order:O", 900)]
