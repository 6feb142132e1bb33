"""Where something becomes friction, and where not yet: one boundary a test."""

import pytest

from schemas.event import Event, Form, Perf
from tests.oracle.shop import DAY, HOUR, MINUTE, SECOND, T0, TEA, does, rows_of

BUY = "#buy"


def met(events: list[Event]) -> list[str]:
    """Return the friction of the one session the events make."""
    (session,) = rows_of(events, DAY).sessions
    return session.friction


def clicks(*times: int, step_x: float = 0.0, element: str = "") -> list[Event]:
    return [
        does(
            "click",
            at,
            path="/a",
            element=element,
            x=0.5 + step_x * n,
            y=0.5,
            viewport="1000x800",
        )
        for n, at in enumerate(times)
    ]


@pytest.mark.parametrize(("last", "kinds"), [(1_000, ["rage_click"]), (1_001, [])])
def test_three_clicks_on_one_element_in_a_second_are_rage(last: int, kinds: list[str]) -> None:
    assert met(clicks(0, 500, last, step_x=0.2, element=BUY)) == kinds


@pytest.mark.parametrize(("step_x", "kinds"), [(0.0149, ["rage_click"]), (0.0151, [])])
def test_three_clicks_within_thirty_pixels_of_the_first_are_rage(
    step_x: float, kinds: list[str]
) -> None:
    assert met(clicks(0, 1, 2, step_x=step_x)) == kinds


def test_three_clicks_on_two_pages_are_no_rage() -> None:
    two, three = clicks(0, 1, element=BUY), does("click", 2, path="/b", element=BUY)
    assert met([*two, three]) == []


@pytest.mark.parametrize(("count", "signals"), [(5, 1), (6, 2)])
def test_each_three_clicks_are_one_pattern(count: int, signals: int) -> None:
    rows = rows_of(clicks(*range(count), element=BUY), DAY)
    assert len([row for row in rows.signals if row.kind == "rage_click"]) == signals


def walk(*steps: tuple[str, int]) -> list[Event]:
    return [does("page_view", at, path=path) for path, at in steps]


@pytest.mark.parametrize(("back", "kinds"), [(5_000, ["u_turn"]), (5_001, [])])
def test_back_within_five_seconds_is_a_u_turn(back: int, kinds: list[str]) -> None:
    assert met(walk(("/a", 0), ("/b", MINUTE), ("/a", MINUTE + back))) == kinds


def test_a_reload_on_the_way_changes_no_u_turn() -> None:
    assert met(walk(("/a", 0), ("/b", 1), ("/b", 2), ("/a", 5_001))) == ["u_turn"]
    assert met(walk(("/a", 0), ("/b", 1), ("/b", 2), ("/a", 5_002))) == []


@pytest.mark.parametrize(("last", "kinds"), [(90_000, ["loop"]), (90_001, [])])
def test_two_pages_four_times_each_in_ninety_seconds_are_a_loop(
    last: int, kinds: list[str]
) -> None:
    times = [*(n * 10 * SECOND for n in range(7)), last]
    assert met(walk(*((("/a", "/b")[n % 2], at) for n, at in enumerate(times)))) == kinds


def test_four_times_and_three_times_are_no_loop() -> None:
    times = [n * 10 * SECOND for n in range(7)]
    assert met(walk(*((("/a", "/b")[n % 2], at) for n, at in enumerate(times)))) == []


@pytest.mark.parametrize(
    ("perf", "kinds"),
    [
        (Perf(lcp_ms=4_000.0, load_ms=5_000.0), []),
        (Perf(lcp_ms=4_000.1), ["slow_page"]),
        (Perf(load_ms=5_000.1), ["slow_page"]),
    ],
)
def test_a_page_is_slow_above_four_or_five_seconds(perf: Perf, kinds: list[str]) -> None:
    assert met([does("page_view", 0), does("performance", SECOND, perf=perf)]) == kinds


@pytest.mark.parametrize(
    ("price", "total", "kinds"),
    [
        (10_000, 10_500, []),
        (10_000, 10_501, ["unexpected_cost"]),
        (1_000, 1_100, []),
        (1_000, 1_101, ["unexpected_cost"]),
    ],
)
def test_cost_is_unexpected_above_five_percent_and_above_one(
    price: int, total: int, kinds: list[str]
) -> None:
    tea = TEA.__class__(product_id="tea", price=price)
    events = [does("cart_add", 0, products=[tea]), does("checkout_step", 1, value=total)]
    assert met(events) == kinds


@pytest.mark.parametrize(("total", "kinds"), [(1_051, ["unexpected_cost"]), (1_050, [])])
def test_one_in_a_currency_without_decimals_is_one(total: int, kinds: list[str]) -> None:
    events = [
        does("cart_add", 0, products=[TEA], currency="JPY"),
        does("checkout_step", 1, value=total, currency="JPY"),
    ]
    assert met(events) == kinds


def test_a_total_in_another_currency_is_not_compared() -> None:
    events = [
        does("cart_add", 0, products=[TEA]),
        does("checkout_step", 1, value=9_000, currency="EUR"),
    ]
    assert met(events) == []


@pytest.mark.parametrize(("errors", "kinds"), [(2, []), (3, ["form_struggle"])])
def test_three_errors_on_one_form_are_a_struggle(errors: int, kinds: list[str]) -> None:
    bad = Form(form_id="address", error="missing")
    other = does("form_interaction", 0, form=Form(form_id="search", error="empty"))
    fails = [does("form_interaction", n + 1, form=bad) for n in range(errors)]
    assert met([other, *fails]) == kinds


@pytest.mark.parametrize(("times", "kinds"), [(2, []), (3, ["form_struggle"])])
def test_a_step_entered_again_three_times_is_a_struggle(times: int, kinds: list[str]) -> None:
    steps = ["address", *["payment", "address"] * times]
    events = [does("checkout_step", at, checkout_step=step) for at, step in enumerate(steps)]
    assert met(events) == kinds


def test_the_same_step_told_again_is_no_struggle() -> None:
    assert met([does("checkout_step", at, checkout_step="address") for at in range(9)]) == []


def test_an_account_page_is_a_wall_only_between_checkout_and_order() -> None:
    account = does("page_view", MINUTE, page_kind="account")
    begun, paid = does("checkout_start", 0), does("purchase", 2, order_id="O")
    assert met([account]) == []
    assert met([begun, account]) == ["account_wall"]
    assert met([begun, paid, account]) == []


def test_what_comes_after_the_abandonment_is_no_cause_of_it() -> None:
    events = [
        does("error", 0),
        does("cart_add", 1, products=[TEA]),
        does("coupon", 2, coupon_status="denied"),
        does("dead_click", HOUR),
    ]
    (cart,) = rows_of(events, 2 * HOUR).carts
    assert cart.abandoned_ms == T0 + 2 + 30 * MINUTE
    assert (cart.friction, cart.causes) == (["coupon_denied", "dead_click"], ["coupon_denied"])


def test_friction_of_one_who_left_after_one_page_is_a_cause_of_the_bounce() -> None:
    (session,) = rows_of([does("page_view", 0), does("error", 1)], DAY).sessions
    assert (session.bounced, session.causes) == (True, ["error"])
    pages = [does("page_view", 0), does("error", 1), does("page_view", 2)]
    (session,) = rows_of(pages, DAY).sessions
    assert (session.bounced, session.friction, session.causes) == (False, ["error"], [])
