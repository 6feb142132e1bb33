"""Each signal: its id, its time and what it carries."""

from typing import Any

from schemas import ids
from schemas.event import Consent
from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, Shopper, ms


def of_session(shopper: Shopper, kind: str, event: str, discriminator: str = "") -> str:
    entity = ids.session_id("shop", "v", event)
    return ids.signal_id(kind, entity, discriminator)


def of_cart(kind: str, event: str, discriminator: str = "") -> str:
    return ids.signal_id(kind, ids.cart_id("shop", "v", event), discriminator)


def test_stage_entered_is_told_at_the_events_time_with_the_clock_beside_it() -> None:
    shopper = Shopper()
    shopper.clock_ms = ms(77)
    shopper("login", 0, user_id="U", consent=Consent(marketing=True))("product_view", 5)
    row = shopper.told("stage_entered")
    assert row.signal_id == of_session(shopper, "stage_entered", "login@0", "interest")
    assert (row.at_ms, row.emitted_ms, row.stage) == (ms(5), ms(77), "interest")
    assert (row.user_id, row.marketing_consent, row.policy_version) == ("U", True, 1)
    assert (row.value, row.lines, row.cart_id) == (None, [], "")


def test_a_bounce_is_told_at_the_sessions_deadline() -> None:
    shopper = Shopper()("page_view", 0)("error", 1).wait(HOUR)
    row = shopper.told("bounce")
    assert row.signal_id == of_session(shopper, "bounce", "page_view@0")
    assert (row.at_ms, row.stage, row.causes) == (ms(30 * MINUTE), "discovery", ["error"])
    assert row.session_id == shopper.sessions[-1].session_id


def test_browse_abandoned_names_the_furthest_stage() -> None:
    shopper = Shopper()("product_view", 0)("page_view", 60, page_kind="home").wait(HOUR)
    row = shopper.told("browse_abandoned")
    assert row.signal_id == of_session(shopper, "browse_abandoned", "product_view@0")
    assert (row.at_ms, row.stage) == (ms(60 + 30 * MINUTE), "interest")


def left(shopper: Shopper) -> Shopper:
    """Leave a cart, with everything said that helps to write to the shopper."""
    shopper("identify", -1)("login", 0, user_id="U", consent=Consent(marketing=True))
    return shopper("cart_add", 1, products=[SHOE], cart_url="https://s.example/c", channel="email")


def test_a_cart_abandoned_carries_all_that_is_needed_to_act() -> None:
    shopper = left(Shopper()).wait(HOUR)
    row = shopper.told("cart_abandoned")
    assert row.signal_id == of_cart("cart_abandoned", "cart_add@1")
    assert (row.at_ms, row.stage, row.value, row.currency) == (
        *(ms(1 + 30 * MINUTE), "intent"),
        *(5_000, "USD"),
    )
    assert (row.lines, row.cart_url, row.user_id, row.marketing_consent) == (
        *([SHOE], "https://s.example/c"),
        *("U", True),
    )
    assert (row.session_id, row.cart_id, row.channel) == (
        *(shopper.sessions[-1].session_id, shopper.carts[-1].cart_id),
        "email",
    )


def test_checkout_abandoned_names_the_furthest_step() -> None:
    shopper = left(Shopper())("checkout_start", 2).wait(HOUR)
    row = shopper.told("checkout_abandoned")
    assert row.signal_id == of_cart("checkout_abandoned", "cart_add@1")
    assert (row.at_ms, row.details) == (ms(2 + 15 * MINUTE), {"checkout_step": "start"})
    assert shopper.told("cart_abandoned").details == {}


def test_a_cart_lost_still_knows_whom_to_write_to() -> None:
    shopper = left(Shopper()).wait(10 * DAY)
    row = shopper.told("cart_lost")
    assert row.signal_id == of_cart("cart_lost", "cart_add@1")
    assert (row.at_ms, row.user_id, row.lines) == (ms(1 + 30 * MINUTE + 7 * DAY), "U", [SHOE])


def test_a_cart_emptied_shows_the_empty_cart() -> None:
    shopper = left(Shopper())("cart_remove", 5, products=[SHOE])
    row = shopper.told("cart_emptied")
    assert row.signal_id == of_cart("cart_emptied", "cart_add@1")
    assert (row.at_ms, row.lines, row.value) == (ms(5), [], 0)


def test_converted_and_recovered_are_the_orders() -> None:
    shopper = left(Shopper()).wait(HOUR)
    shopper("purchase", 2 * HOUR, order_id="O", value=5_900, currency="EUR")
    recovered, converted = shopper.told("cart_recovered"), shopper.told("converted")
    assert recovered.signal_id == of_cart("cart_recovered", "cart_add@1")
    assert converted.signal_id == of_cart("converted", "cart_add@1", "O")
    for row in (recovered, converted):
        assert (row.at_ms, row.stage, row.details) == (
            *(ms(2 * HOUR), "purchase"),
            {"order_id": "O"},
        )
        assert (row.value, row.currency, row.lines) == (5_900, "EUR", [SHOE])


def test_an_order_without_a_value_leaves_the_carts() -> None:
    shopper = left(Shopper())("purchase", 5, order_id="O", currency="EUR")
    assert (shopper.told("converted").value, shopper.told("converted").currency) == (5_000, "USD")


def test_without_a_cart_the_session_converted() -> None:
    shopper = Shopper()("scroll", 0)("purchase", 5, order_id="O", value=900, products=[SHOE])
    row = shopper.told("converted")
    assert row.signal_id == of_session(shopper, "converted", "scroll@0", "O")
    assert (row.cart_id, row.value, row.lines, row.details) == ("", 900, [SHOE], {"order_id": "O"})


def test_friction_is_named_by_the_first_event_and_told_at_the_last() -> None:
    shopper = Shopper()("page_view", 0)
    for at in (1, 1.2, 1.4):
        shopper("click", at, path="/p", element="#buy")
    row = shopper.told("rage_click")
    assert row.signal_id == of_session(shopper, "rage_click", "page_view@0", "click@1")
    assert (row.at_ms, row.stage, row.details) == (
        *(ms(1.4), "discovery"),
        {"path": "/p", "element": "#buy"},
    )


def test_the_same_story_told_again_gives_the_same_ids() -> None:
    def story() -> list[Any]:
        shopper = left(Shopper())("error", 9)("checkout_start", 10).wait(HOUR)
        return [
            (row.signal_id, row.at_ms) for row in shopper("purchase", DAY).wait(9 * DAY).signals
        ]

    first = story()
    assert first == story()
    assert len({signal_id for signal_id, _ in first}) == len(first)
