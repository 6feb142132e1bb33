"""When a visit begins and ends, whether it was a bounce, and how it is described."""

import pytest

from schemas.event import Utm
from services.sessionizer.core.policy import Bots, Policy, Session, SourceRules
from tests.core.shopper import DAY, HOUR, MINUTE, SHOE, Shopper, ms

GAP = 30 * MINUTE


@pytest.mark.parametrize(("gap", "visits"), [(GAP - 0.001, 1), (GAP, 1), (GAP + 0.001, 2)])
def test_thirty_idle_minutes_stay_and_a_millisecond_more_splits(gap: float, visits: int) -> None:
    shopper = Shopper()("scroll", 0)("scroll", gap).wait(5 * HOUR)
    assert len(shopper.sessions) == visits


@pytest.mark.parametrize(("last", "visits"), [(DAY - 0.001, 1), (DAY, 1), (DAY + 0.001, 2)])
def test_a_visit_of_more_than_a_day_splits(last: float, visits: int) -> None:
    shopper = Shopper()
    for minute in range(0, 24 * 60, 20):
        shopper("scroll", minute * MINUTE)
    shopper("scroll", last).wait(3 * DAY)
    assert len(shopper.sessions) == visits
    assert shopper.sessions[0].closed_ms == ms(DAY)


def test_a_session_closes_thirty_minutes_after_its_last_active_event() -> None:
    row = Shopper()("page_view", 0)("click", 60)("page_leave", 90).wait(HOUR).sessions[-1]
    assert (row.started_ms, row.ended_ms, row.closed_ms) == (ms(0), ms(60), ms(60 + GAP))
    assert (row.duration_ms, row.open, row.events) == (60_000, False, 3)


def test_an_open_session_has_no_verdict() -> None:
    row = Shopper()("page_view", 0)("page_view", 60).look().sessions[-1]
    assert (row.open, row.bounced, row.engaged, row.duration_ms) == (True, None, None, None)


BOUNCES = [
    ([("page_view", 0, {})], False, True),
    ([("page_view", 0, {}), ("click", 10, {})], False, True),
    ([("page_view", 0, {}), ("click", 10.001, {})], True, False),
    ([("page_view", 0, {}), ("page_view", 1, {})], True, False),
    ([("page_view", 0, {}), ("signup", 1, {})], True, False),
    ([("page_view", 0, {}), ("checkout_start", 1, {})], True, False),
    ([("page_view", 0, {}), ("purchase", 1, {})], True, False),
    ([("page_view", 0, {}), ("survey_response", 1, {})], True, False),
    ([("page_view", 0, {}), ("survey_response", 1, {"origin": "server"})], False, True),
    ([("page_view", 0, {}), ("page_leave", 1, {"engaged_ms": 10_000})], False, True),
    ([("page_view", 0, {}), ("page_leave", 1, {"engaged_ms": 10_001})], True, False),
    (
        [("page_view", 0, {}), *(("page_leave", s, {"engaged_ms": 6_000}) for s in (1, 2))],
        *(True, False),
    ),
    ([("scroll", 0, {})], False, None),
    ([("scroll", 0, {}), ("scroll", 60, {})], True, None),
    ([("product_view", 0, {})], False, True),
    ([("product_view", 0, {}), ("product_list_view", 1, {})], True, False),
    ([("product_view", 0, {}), ("page_view", 1, {}), ("cart_view", 2, {})], False, True),
]


@pytest.mark.parametrize(("events", "engaged", "bounced"), BOUNCES)
def test_engaged_and_bounce(events: list, engaged: bool, bounced: bool | None) -> None:  # type: ignore[type-arg]
    shopper = Shopper()
    for kind, at, fields in events:
        shopper(kind, at, **fields)
    row = shopper.wait(HOUR).sessions[-1]
    assert (row.engaged, row.bounced) == (engaged, bounced)
    assert ("bounce" in shopper.kinds) == (bounced is True)


@pytest.mark.parametrize(("views", "bounced"), [(0, None), (1, True), (2, False)])
def test_single_page_policy_counts_pages_alone(views: int, bounced: bool | None) -> None:
    shopper = Shopper(SourceRules(policy=Policy(session=Session(bounce="single_page"))))
    shopper("click", 0)
    for at in range(views):
        shopper("page_view", 60 * (at + 1))
    assert shopper.wait(HOUR).sessions[-1].bounced is bounced


def test_page_views_stand_in_for_product_views_and_are_never_added_to_them() -> None:
    both = Shopper()("product_view", 0)("page_view", 1)("product_view", 2).wait(HOUR).sessions[-1]
    alone = Shopper()("product_view", 0)("product_list_view", 1)("cart_view", 2)
    assert (both.page_views, both.interactions) == (1, 2)
    assert alone.wait(HOUR).sessions[-1].page_views == 3


BROWSED = [
    ([("product_view", 0)], True),
    ([("page_view", 0)], False),
    ([("product_view", 0), ("cart_add", 1)], False),
    ([("product_view", 0), ("cart_view", 1)], True),
    ([("product_view", 0), ("purchase", 1)], False),
]


@pytest.mark.parametrize(("events", "left"), BROWSED)
def test_browse_abandoned_saw_a_product_and_touched_no_cart(
    events: list[tuple[str, float]], left: bool
) -> None:
    shopper = Shopper()
    for kind, at in events:
        shopper(kind, at)
    assert ("browse_abandoned" in shopper.wait(20 * DAY).kinds) == left


def test_a_product_page_is_a_product_seen() -> None:
    shopper = Shopper()("page_view", 0, page_kind="product").wait(HOUR)
    assert shopper.kinds == ["bounce", "browse_abandoned"]


def test_how_the_visit_came_is_told_by_the_first_event_with_a_channel() -> None:
    spring, autumn = Utm(source="mail", campaign="spring"), Utm(campaign="autumn")
    shopper = Shopper()("page_view", 0, referrer="https://a.example/")
    shopper("page_view", 1, channel="email", referrer="https://b.example/", utm=spring)
    shopper("page_view", 2, channel="direct", referrer="https://c.example/", utm=autumn)
    row = shopper.look().sessions[-1]
    assert (row.channel, row.first_channel, row.referrer) == (
        *("email", "email"),
        "https://b.example/",
    )
    assert (row.utm_source, row.utm_campaign) == ("mail", "spring")


def test_device_browser_and_country_are_the_first_stated_by_an_active_event() -> None:
    shopper = Shopper()("page_view", 0)("performance", 1, device="tv", country="FR")
    shopper("click", 2, device="mobile", browser="Firefox", os="Android")
    shopper("click", 3, device="desktop", country="DE")
    row = shopper.look().sessions[-1]
    assert (row.device, row.browser, row.os, row.country) == ("mobile", "Firefox", "Android", "DE")


def test_one_bot_test_or_excluded_event_marks_the_session_and_one_passing_id_unmarks_it() -> None:
    plain = Shopper()("page_view", 0).look().sessions[-1]
    marked = Shopper()("page_view", 0)
    marked("performance", 1, bot=True, test=True, excluded=True, lasting=False)
    row = marked.look().sessions[-1]
    assert (plain.bot, plain.test, plain.excluded, plain.lasting) == (False, False, False, True)
    assert (row.bot, row.test, row.excluded, row.lasting) == (True, True, True, False)


def test_the_first_arm_of_an_experiment_wins() -> None:
    shopper = Shopper()("page_view", 0, variants={"price": "a"})
    shopper("page_view", 1, variants={"price": "b", "hero": "c"})
    assert shopper.look().sessions[-1].variants == {"price": "a", "hero": "c"}


def test_the_newest_user_and_consent_are_the_visitors_until_nothing_is_left_open() -> None:
    shopper = Shopper()("login", 0, user_id="U")("identify", 1, user_id="W").wait(HOUR)
    assert shopper.sessions[-1].user_id == "W"
    assert Shopper()("login", 0, user_id="U").wait(HOUR)("scroll", 2 * HOUR).look().sessions[
        -1
    ].user_id == ("")


@pytest.mark.parametrize(("burst", "bot"), [(100, False), (101, True)])
def test_a_hundred_and_one_events_in_one_second_are_a_machines(burst: int, bot: bool) -> None:
    shopper = Shopper()
    for number in range(burst):
        shopper("page_view", number / 1000, path=f"/{number}")
    shopper("page_view", 60, path="/last").wait(HOUR)
    row = shopper.sessions[-1]
    assert (row.bot, row.page_views, row.events) == (bot, burst + 1, burst + 1)
    assert len(row.pages) == (100 if bot else burst + 1)


def test_a_second_is_a_second_of_the_clock() -> None:
    shopper = Shopper()
    for number in range(150):
        shopper("scroll", 0.5 + number / 150)
    assert not shopper.look().sessions[-1].bot


def test_a_machines_events_only_count_but_its_purchase_and_refund_act() -> None:
    rules = SourceRules(policy=Policy(bots=Bots(per_session=3)))
    shopper = Shopper(rules)
    for at in range(0, 30, 10):
        shopper("scroll", at)
    shopper("cart_add", 40, products=[SHOE])("error", 45)("purchase", 50, order_id="O")
    shopper("refund", 55, order_id="O").look()
    row = shopper.sessions[-1]
    assert (row.bot, row.cart_id, row.friction, row.reached) == (True, "", [], ["purchase"])
    assert [order.kind for order in shopper.orders] == ["order", "refund"]
