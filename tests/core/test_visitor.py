"""What is remembered of a visitor: through encoding, when idle, and as seen live."""

from typing import Any

import msgspec
import pytest

from schemas.event import Form, Product, Survey, Utm
from services.sessionizer.core import visitor
from services.sessionizer.core.state import Visitor
from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, Shopper, ms

STORY: list[tuple[str, float, dict[str, Any]]] = [
    ("page_view", 0.0, {"path": "/", "channel": "email", "utm": Utm(campaign="x"), "device": "tv"}),
    ("click", 0.5, {"path": "/", "element": "a"}),
    ("click", 0.7, {"path": "/", "element": "a"}),
    ("click", 0.9, {"path": "/", "element": "a"}),
    ("page_view", 2.0, {"path": "/b", "variants": {"e": "a"}}),
    ("page_view", 4.0, {"path": "/"}),
    ("form_interaction", 5.0, {"form": Form(form_id="f", error="x")}),
    ("form_interaction", 6.0, {"form": Form(form_id="f", error="x")}),
    ("cart_add", 7.0, {"products": [SHOE], "cart_id": "C", "user_id": "U"}),
    ("form_interaction", 8.0, {"form": Form(form_id="f", error="x")}),
    ("checkout_start", 9.0, {"value": 6_000}),
    *[("checkout_step", 10.0 + n, {"checkout_step": "ab"[n % 2]}) for n in range(8)],
    ("survey_response", 20.0, {"survey": Survey(kind="open", comment="hm")}),
    ("page_leave", 21.0, {"engaged_ms": 900}),
    ("cart_update", 3.0 * HOUR, {"products": []}),
    ("cart_add", 3.1 * HOUR, {"products": [SHOE]}),
    ("purchase", 2.0 * DAY, {"order_id": "O"}),
    ("page_view", 3.0 * DAY, {"page_kind": "account"}),
    ("refund", 3.0 * DAY + 1, {"order_id": "O"}),
    ("cart_add", 4.0 * DAY, {"products": [SHOE]}),
    ("page_view", 20.0 * DAY, {}),
]


def test_encoding_and_decoding_between_any_two_events_changes_nothing() -> None:
    straight, broken = Shopper(), Shopper()
    for kind, at, fields in STORY:
        straight(kind, at, **fields)
        broken(kind, at, **fields)
        data = msgspec.msgpack.encode(broken.state)
        broken.state = msgspec.msgpack.decode(data, type=Visitor)
        assert msgspec.msgpack.encode(broken.state) == data
    for shopper in (straight, broken):
        shopper.wait(40 * DAY)
    assert broken.signals == straight.signals
    assert broken.sessions == straight.sessions
    assert broken.carts == straight.carts
    assert len(straight.signals) > 20


def test_the_next_deadline_is_when_something_happens() -> None:
    shopper = Shopper()
    assert visitor.next_deadline(shopper.state, shopper.rules) is None
    shopper("cart_add", 0)("checkout_start", 60)
    fired = []
    while (at := visitor.next_deadline(shopper.state, shopper.rules)) is not None:
        visitor.advance(shopper.state, at, shopper.rules, shopper)
        before = len(shopper.carts) + len(shopper.sessions) + len(shopper.signals)
        visitor.advance(shopper.state, at + 1, shopper.rules, shopper)
        assert len(shopper.carts) + len(shopper.sessions) + len(shopper.signals) > before
        fired.append(at)
    assert fired == [ms(16 * MINUTE), ms(31 * MINUTE), ms(16 * MINUTE + 7 * DAY)]


def test_equal_deadlines_fire_in_the_order_checkout_cart_lost_session() -> None:
    shopper = Shopper()("cart_add", 0).wait(HOUR)
    assert [type(row).__name__ for row in (shopper.carts[0], shopper.sessions[0])] == [
        *("CartRow", "SessionRow"),
    ]
    assert shopper.carts[0].version < shopper.sessions[0].version
    assert shopper.carts[0].abandoned_ms == shopper.sessions[0].closed_ms


def test_an_idle_visitor_is_forgotten_but_for_its_orders() -> None:
    shopper = Shopper()("cart_add", 0, user_id="U", channel="email", products=[SHOE])
    shopper("purchase", 5, order_id="O").wait(HOUR)
    assert visitor.is_idle(shopper.state)
    kept = visitor.stub(shopper.state)
    assert (kept.user_id, kept.first_channel, kept.cart, kept.session) == ("", "", None, None)
    assert (len(kept.orders), kept.bought_ms) == (2, ms(5))
    for state in (shopper.state, kept):
        after = Shopper()
        after.state = state
        after("page_view", 2 * HOUR, order_id="O").look()
        assert (after.sessions[-1].past_buyer, after.sessions[-1].first_channel) == (True, "")


def test_neither_an_open_session_nor_an_unresolved_cart_is_idle() -> None:
    shopper = Shopper()("cart_add", 0)
    assert not visitor.is_idle(shopper.state)
    assert not visitor.is_idle(shopper.wait(HOUR).state)
    assert visitor.is_idle(shopper.wait(8 * DAY).state)


def test_the_live_view_shows_the_open_session_and_cart() -> None:
    shopper = Shopper()("product_view", 0)("cart_add", 5, products=[SHOE])
    live = visitor.live(shopper.state, shopper.rules)
    assert (live["current_stage"], live["furthest_stage"], live["lifetime_stage"]) == (
        *("intent", "intent"),
        "intent",
    )
    assert live["open_session"]["events"] == 2
    assert live["cart"]["value"] == 5_000
    assert (live["last_event_ms"], live["next_deadline_ms"]) == (ms(5), ms(5 + 30 * MINUTE))


@pytest.mark.parametrize(("events", "stage"), [(["purchase"], "purchase"), (["scroll"], "")])
def test_the_live_view_of_an_idle_visitor_knows_only_whether_it_bought(
    events: list[str], stage: str
) -> None:
    shopper = Shopper()
    for kind in events:
        shopper(kind, 0)
    live = visitor.live(shopper.wait(HOUR).state, shopper.rules)
    assert (live["current_stage"], live["lifetime_stage"], live["open_session"]) == (
        *("", stage),
        None,
    )


def test_a_visitor_weighs_little_and_never_more_than_its_bounds() -> None:
    shopper = Shopper(visitor_id="6f0d6bd5-4c1c-4b53-9b6a-0f3d3a3b5c11")
    told = {"channel": "email", "device": "mobile", "browser": "Chrome", "os": "Android"}
    shopper("page_view", 0, path="/collections/shoes", page_kind="category", **told)
    assert len(msgspec.msgpack.encode(shopper.state)) <= 300
    for number in range(600):
        line = Product(product_id=f"p{number}", name="n" * 200, price=100)
        shopper("page_view", number * 60, path=f"/{number}" * 40)
        shopper("cart_add", number * 60 + 1, products=[line])
        shopper("checkout_step", number * 60 + 2, checkout_step=f"step {number}")
        form = Form(form_id=f"form {number}", error="x")
        shopper("form_interaction", number * 60 + 3, form=form)
    assert len(msgspec.msgpack.encode(shopper.state)) <= 32_768
