"""Each friction at its threshold and one below, and what becomes of it."""

from typing import Any

import pytest

from schemas.event import Form, Perf, Product, Survey
from tests.core.shopper import HOUR, MINUTE, SHOE, Shopper

Told = tuple[str, float, dict[str, Any]]


def met(events: list[Told]) -> list[str]:
    shopper = Shopper()
    for kind, at, fields in events:
        shopper(kind, at, **fields)
    return shopper.look().sessions[-1].friction


def page(at: float, path: str, **fields: Any) -> Told:
    return ("page_view", at, {"path": path} | fields)


def click(at: float, **fields: Any) -> Told:
    return ("click", at, {"path": "/", "viewport": "960x960"} | fields)


VIEW = page(0, "/")
AT_ONCE = [
    ("performance", {"perf": Perf(lcp_ms=4_000)}, []),
    ("performance", {"perf": Perf(lcp_ms=4_000.5)}, ["slow_page"]),
    ("performance", {"perf": Perf(load_ms=5_000)}, []),
    ("page_view", {"perf": Perf(load_ms=5_000.5)}, ["slow_page"]),
    ("error", {}, ["error"]),
    ("dead_click", {}, ["dead_click"]),
    ("payment_failed", {}, ["payment_failed"]),
    ("coupon", {"coupon_status": "denied"}, ["coupon_denied"]),
    ("coupon", {"coupon_status": "applied"}, []),
    ("search", {"results_count": 0}, ["search_no_results"]),
    ("search", {"results_count": 1}, []),
    ("search", {}, []),
    ("stock_out", {}, ["out_of_stock"]),
    ("product_view", {"stock_out": True}, ["out_of_stock"]),
    ("product_view", {"stock_out": False}, []),
    ("support", {}, ["support_sought"]),
    ("page_view", {"page_kind": "support"}, ["support_sought"]),
    ("custom", {"page_kind": "support"}, []),
]


@pytest.mark.parametrize(("kind", "fields", "found"), AT_ONCE)
def test_what_one_event_shows_by_itself(kind: str, fields: Any, found: list[str]) -> None:
    assert met([VIEW, (kind, 1, fields)]) == found


def test_one_event_may_show_several_kinds_in_one_fixed_order() -> None:
    fields = {"page_kind": "support", "stock_out": True, "perf": Perf(lcp_ms=9_000)}
    assert met([page(0, "/", **fields)]) == ["slow_page", "out_of_stock", "support_sought"]


RAGE = [
    ([click(0, element="a"), click(0.5, element="a"), click(1.0, element="a")], True),
    ([click(0, element="a"), click(0.5, element="a"), click(1.001, element="a")], False),
    ([click(0, element="a"), click(0.5, element="a")], False),
    ([click(0, element="a"), click(0.5, element="b"), click(1.0, element="a")], False),
    ([click(0, element="a"), click(0.5, element="a", path="/b"), click(1, element="a")], False),
    ([click(0, x=0.5, y=0.5), click(0.5, x=0.53125, y=0.5), click(1, x=0.5, y=0.53125)], True),
    ([click(0, x=0.5, y=0.5), click(0.5, x=0.532, y=0.5), click(1, x=0.5, y=0.5)], False),
    ([click(0, x=0.5, y=0.5), click(0.5, x=0.5235, y=0.5235), click(1, x=0.5, y=0.5)], False),
    ([click(0, x=0.5, y=0.5), click(0.5), click(1, x=0.5, y=0.5)], False),
    ([click(a, x=0.5, y=0.5, viewport="") for a in (0, 0.5, 1)], False),
    ([click(a, element="a") for a in (0, 0.9, 1.8, 2.2, 2.6)], True),
]


@pytest.mark.parametrize(("clicks", "angry"), RAGE)
def test_three_clicks_in_a_second_on_one_thing_are_angry(clicks: list[Told], angry: bool) -> None:
    assert met(clicks) == (["rage_click"] if angry else [])


def test_six_angry_clicks_are_two_patterns_each_with_its_own_first() -> None:
    shopper = Shopper()
    for number in range(6):
        shopper("click", number / 10, path="/", element="a")
    signals = [row for row in shopper.signals if row.kind == "rage_click"]
    assert len({row.signal_id for row in signals}) == 2
    assert shopper.look().sessions[-1].friction == ["rage_click"]


TURNS = [
    ([page(0, "/a"), page(60, "/b"), page(65, "/a")], True),
    ([page(0, "/a"), page(60, "/b"), page(65.001, "/a")], False),
    ([page(0, "/a"), page(60, "/b"), page(61, "/b"), page(65, "/a")], True),
    ([page(0, "/a"), page(60, "/b"), page(61, ""), page(65, "/a")], True),
    ([page(0, "/a"), page(1, "/b"), page(2, "/c")], False),
    ([("product_view", 0, {"path": "/a"}), page(1, "/b"), page(2, "/a")], False),
    ([("product_view", t, {"path": p}) for t, p in ((0, "/a"), (1, "/b"), (2, "/a"))], True),
]


@pytest.mark.parametrize(("pages", "turned"), TURNS)
def test_back_within_five_seconds_is_a_u_turn(pages: list[Told], turned: bool) -> None:
    assert met(pages) == (["u_turn"] if turned else [])


def test_the_second_look_may_begin_the_next_u_turn_but_not_the_page_between() -> None:
    shopper = Shopper()
    for at, path in enumerate(["/a", "/b", "/a", "/b", "/a"]):
        shopper("page_view", at, path=path)
    assert [row.at_ms % 10_000 for row in shopper.signals if row.kind == "u_turn"] == [2_000, 4_000]


def to_and_fro(visits: int, pace: float) -> list[Told]:
    return [page(number * pace, "/ab"[number % 2 :: 2] or "/") for number in range(visits)]


LOOPS = [
    (to_and_fro(8, 90 / 7 - 0.001), True),
    (to_and_fro(8, 90 / 7 + 0.001), False),
    (to_and_fro(7, 6), False),
    ([*to_and_fro(7, 6), page(42, "/c")], False),
]


@pytest.mark.parametrize(("pages", "looped"), LOOPS)
def test_two_pages_four_times_each_in_ninety_seconds_are_a_loop(
    pages: list[Told], looped: bool
) -> None:
    assert met(pages) == (["loop"] if looped else [])


def test_sixteen_visits_are_two_loops() -> None:
    shopper = Shopper()
    for kind, at, fields in to_and_fro(16, 6):
        shopper(kind, at, **fields)
    assert shopper.kinds == ["loop", "loop"]


@pytest.mark.parametrize(("errors", "struggled"), [(2, False), (3, True), (6, True)])
def test_three_errors_on_one_form_are_a_struggle_once(errors: int, struggled: bool) -> None:
    shopper = Shopper()
    for at in range(errors):
        shopper("form_interaction", at, form=Form(form_id="f", error="bad"))
        shopper("form_interaction", at, form=Form(form_id="f"), event_id=f"fine@{at}")
    assert shopper.kinds == (["form_struggle"] if struggled else [])


def test_errors_on_different_forms_do_not_add_up() -> None:
    errors = [("form_interaction", at, {"form": Form(form_id=f, error="x")}) for at, f in FORMS]
    assert met(errors) == []


FORMS = [(0.0, "f"), (1.0, "g"), (2.0, "f"), (3.0, "g")]


@pytest.mark.parametrize(("entries", "struggled"), [(6, False), (7, True)])
def test_the_third_re_entry_of_a_step_is_a_struggle(entries: int, struggled: bool) -> None:
    steps = ["address", "shipping"] * 4
    told: list[Told] = [
        ("checkout_step", float(at), {"checkout_step": steps[at]}) for at in range(entries)
    ]
    assert met(told) == (["form_struggle"] if struggled else [])


def test_staying_on_a_step_is_no_re_entry() -> None:
    assert met([("checkout_step", float(at), {"checkout_step": "a"}) for at in range(9)]) == []


COSTS = [
    (5_000, 5_250, {}, False),
    (5_000, 5_251, {}, True),
    (1_000, 1_100, {}, False),
    (1_000, 1_101, {}, True),
    (5_000, 9_000, {"currency": "EUR"}, False),
    (None, 9_000, {}, False),
]


@pytest.mark.parametrize(("price", "total", "fields", "found"), COSTS)
def test_a_total_five_percent_and_one_above_the_cart_is_unexpected(
    price: int | None, total: int, fields: dict[str, Any], found: bool
) -> None:
    lines = [Product(product_id="x", price=price)]
    step = {"value": total} | fields
    told: list[Told] = [("cart_add", 0, {"products": lines}), ("checkout_step", 1, step)]
    assert met(told) == (["unexpected_cost"] if found else [])


@pytest.mark.parametrize(("total", "found"), [(2_101, True), (2_100, False)])
def test_money_without_minor_units_counts_in_whole_ones(total: int, found: bool) -> None:
    lines = [Product(product_id="x", price=2_000)]
    shopper = Shopper()("cart_add", 0, products=lines, currency="JPY")
    shopper("checkout_step", 1, value=total, currency="JPY").look()
    assert shopper.sessions[-1].friction == (["unexpected_cost"] if found else [])


def test_unexpected_cost_is_told_once_an_episode() -> None:
    shopper = Shopper()("cart_add", 0, products=[SHOE])
    for at in range(1, 4):
        shopper("checkout_step", at, value=9_000)
    assert shopper.kinds == ["unexpected_cost"]


def test_an_account_page_is_a_wall_only_during_a_checkout_and_once() -> None:
    shopper = Shopper()("page_view", 0, page_kind="account")("cart_add", 1)
    shopper("page_view", 2, page_kind="account")("checkout_start", 3)
    shopper("page_view", 4, page_kind="account")("page_view", 5, page_kind="account")
    assert [(row.kind, row.at_ms % 10_000) for row in shopper.signals[-1:]] == [
        ("account_wall", 4_000)
    ]
    assert shopper.kinds == ["account_wall"]


def test_causes_are_the_friction_before_leaving_and_none_is_guessed() -> None:
    shopper = Shopper()("error", -1)("cart_add", 0, products=[SHOE])("dead_click", 5)
    shopper.wait(HOUR)("coupon", 2 * HOUR, coupon_status="denied").look()
    row = shopper.carts[-1]
    assert (row.causes, row.friction) == (["dead_click"], ["dead_click", "coupon_denied"])
    assert shopper.told("cart_abandoned").causes == ["dead_click"]
    assert Shopper()("cart_add", 0).wait(HOUR).carts[-1].causes == []


def test_a_session_has_causes_if_it_bounced_browsed_off_or_left_a_cart() -> None:
    def causes(*kinds: str) -> list[str]:
        shopper = Shopper()
        for at, kind in enumerate((*kinds, "dead_click")):
            shopper(kind, at)
        return shopper.wait(HOUR).sessions[-1].causes

    assert causes("page_view") == ["dead_click"]
    assert causes("product_view", "product_view") == ["dead_click"]
    assert causes("cart_add") == ["dead_click"]
    assert causes("page_view", "page_view") == []
    assert causes("cart_add", "purchase") == []


def test_what_the_shopper_said_stands_beside_the_causes() -> None:
    said = Survey(kind="open", comment="too dear " * 40)
    shopper = Shopper()("cart_add", 0)("survey_response", 1, survey=said)
    shopper("survey_response", 2, survey=Survey(kind="nps", score=3)).wait(31 * MINUTE)
    assert shopper.sessions[-1].stated_reason == ("too dear " * 40)[:200]
    assert shopper.told("cart_abandoned").stated_reason.startswith("too dear")


def test_friction_with_no_session_open_is_the_carts_alone() -> None:
    shopper = Shopper()("cart_add", 0).wait(HOUR)
    before = len(shopper.signals)
    shopper("payment_failed", 2 * HOUR, origin="server").look()
    assert shopper.carts[-1].friction == ["payment_failed"]
    assert len(shopper.signals) == before
