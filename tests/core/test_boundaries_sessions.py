"""Where a visit begins, ends and what it was: one boundary a test."""

import pytest

from schemas.event import Survey
from services.sessionizer.core.batch import fold_history
from tests.oracle.feed import Feed
from tests.oracle.shop import DAY, HOUR, MINUTE, RULES, SECOND, T0, does, rows_of, told

DAY_LATER = DAY


@pytest.mark.parametrize(("gap_ms", "sessions"), [(1_799_999, 1), (1_800_000, 1), (1_800_001, 2)])
def test_a_gap_of_exactly_thirty_minutes_stays_and_a_millisecond_more_splits(
    gap_ms: int, sessions: int
) -> None:
    rows = rows_of([does("page_view", 0), does("click", gap_ms)], DAY_LATER)
    assert len(rows.sessions) == sessions
    first = rows.sessions[0]
    last_active = 0 if sessions == 2 else gap_ms
    assert first.closed_ms == T0 + last_active + 30 * MINUTE
    assert first.duration_ms == last_active


@pytest.mark.parametrize(
    ("at", "sessions"), [(24 * HOUR - 1, 1), (24 * HOUR, 1), (24 * HOUR + 1, 2)]
)
def test_a_visit_without_a_pause_splits_more_than_a_day_after_its_start(
    at: int, sessions: int
) -> None:
    steps = [does("scroll", minute * 20 * MINUTE) for minute in range(72)]
    rows = rows_of([*steps, does("click", at)], 2 * DAY)
    assert len(rows.sessions) == sessions
    assert rows.sessions[0].closed_ms == T0 + 24 * HOUR


def test_two_visits_are_bridged_by_an_event_that_comes_last() -> None:
    feed = Feed(RULES)
    for at in (0, 40 * MINUTE, 20 * MINUTE):
        feed.append(T0 + HOUR, [does("page_view", at, path=f"/{at}")])
    feed.finish(T0 + DAY)
    assert feed.flags == []
    (session,) = {row.session_id: row for row in feed.sessions}.values()
    assert [page.at_ms - T0 for page in session.pages] == [0, 20 * MINUTE, 40 * MINUTE]


def test_a_bridge_that_comes_too_late_is_marked_and_the_rebuild_joins_the_visits() -> None:
    events = [does("page_view", at) for at in (0, 40 * MINUTE, 20 * MINUTE)]
    feed = Feed(RULES)
    feed.append(T0, events[:1])
    feed.append(T0 + 40 * MINUTE, events[1:2])
    feed.finish(T0 + 2 * HOUR)
    feed.append(T0 + 2 * HOUR + SECOND, events[2:])
    feed.finish(T0 + 4 * HOUR)
    assert [(flag.event_id, flag.flag) for flag in feed.flags] == [
        (f"page_view-v-{20 * MINUTE}", "late")
    ]
    assert len({row.session_id for row in feed.sessions}) == 2
    assert len(rows_of(events, 4 * HOUR).sessions) == 1


@pytest.mark.parametrize(
    ("duration_ms", "bounced"), [(9_999, True), (10_000, True), (10_001, False)]
)
def test_a_single_page_is_a_bounce_up_to_ten_seconds(duration_ms: int, *, bounced: bool) -> None:
    rows = rows_of([does("page_view", 0), does("scroll", duration_ms)], DAY_LATER)
    assert rows.sessions[0].bounced is bounced
    assert ("bounce", 30 * MINUTE + duration_ms) in told(rows.signals) or not bounced


@pytest.mark.parametrize(("engaged_ms", "bounced"), [(10_000, True), (10_001, False)])
def test_time_on_the_only_page_told_by_its_leave_counts_as_engagement(
    engaged_ms: int, *, bounced: bool
) -> None:
    leave = does("page_leave", 9_000, path="/a", engaged_ms=engaged_ms)
    rows = rows_of([does("page_view", 0, path="/a"), leave], DAY_LATER)
    (session,) = rows.sessions
    assert (session.bounced, session.duration_ms) == (bounced, 0)
    assert session.pages[0].time_ms == engaged_ms


def test_two_page_views_in_one_second_are_engaged() -> None:
    rows = rows_of([does("page_view", 0), does("page_view", 1)], DAY_LATER)
    assert rows.sessions[0].engaged is True
    assert told(rows.signals) == []


def test_what_a_shop_sends_as_page_and_as_product_is_counted_once() -> None:
    events = [
        does("product_view", 0, path="/tea"),
        does("page_view", 0, path="/tea"),
        does("product_view", SECOND, path="/cup"),
        does("page_view", SECOND, path="/cup"),
    ]
    (session,) = rows_of(events, DAY_LATER).sessions
    assert (session.page_views, session.interactions) == (2, 2)
    assert [page.path for page in session.pages] == ["/tea", "/cup"]
    (session,) = rows_of(events[::2], DAY_LATER).sessions
    assert (session.page_views, session.interactions) == (2, 0)


def test_a_survey_alone_is_a_visit_that_neither_bounced_nor_has_pages() -> None:
    said = Survey(kind="csat", score=4, comment="fine")
    (session,) = rows_of([does("survey_response", 0, survey=said)], DAY_LATER).sessions
    assert (session.page_views, session.bounced, session.engaged) == (0, None, True)
    assert session.stated_reason == "fine"
    assert (session.current_stage, session.furthest_stage, session.reached) == ("", "", [])


def test_a_survey_sent_by_the_backend_opens_no_visit() -> None:
    rows = rows_of([does("survey_response", 0, origin="server")], DAY_LATER)
    assert (rows.sessions, rows.signals) == ([], [])


def test_a_past_buyers_single_page_view_keeps_its_stage_and_is_post_purchase() -> None:
    events = [
        does("purchase", 0, order_id="O"),
        does("page_view", 3 * DAY, page_kind="home", path="/"),
    ]
    rows = rows_of(events, 4 * DAY)
    session = rows.sessions[1]
    assert (session.current_stage, session.furthest_stage) == ("discovery", "discovery")
    assert session.reached == ["discovery", "engagement"]
    assert (session.post_purchase, session.past_buyer, session.bounced) == (True, True, True)
    stages = [(s.stage, s.at_ms - T0) for s in rows.signals if s.kind == "stage_entered"]
    assert stages == [("purchase", 0), ("discovery", 3 * DAY), ("engagement", 3 * DAY)]


@pytest.mark.parametrize(("at", "past"), [(365 * DAY, True), (365 * DAY + 1, False)])
def test_a_buyer_is_a_past_buyer_for_a_year_to_the_millisecond(at: int, *, past: bool) -> None:
    rows = rows_of([does("purchase", 0, order_id="O"), does("page_view", at)], 367 * DAY)
    assert rows.sessions[1].past_buyer is past
    assert rows.sessions[1].post_purchase is past


def test_the_confirmation_page_is_not_yet_engagement_but_a_review_is() -> None:
    bought = [
        does("purchase", 0, order_id="O"),
        does("page_view", SECOND, page_kind="confirmation"),
    ]
    (session,) = rows_of(bought, DAY_LATER).sessions
    assert (session.post_purchase, session.current_stage) == (False, "purchase")
    (session,) = rows_of([*bought, does("review", MINUTE)], DAY_LATER).sessions
    assert (session.post_purchase, session.current_stage) == (True, "engagement")
    assert session.furthest_stage == "purchase"


def test_an_account_page_of_one_who_never_bought_is_unstaged() -> None:
    (session,) = rows_of([does("page_view", 0, page_kind="account")], DAY_LATER).sessions
    assert (session.current_stage, session.reached) == ("", [])


MONTH_END = 3 * DAY + 11 * HOUR + 50 * MINUTE
"""2026-02-28, 23:50 UTC."""
DST_NIGHT = 31 * DAY + 12 * HOUR + 50 * MINUTE
"""2026-03-29, 00:50 UTC: ten minutes before clocks in Berlin jump from 02:00 to 03:00."""


@pytest.mark.parametrize("start", [MONTH_END, DST_NIGHT])
def test_a_visit_over_a_month_end_or_a_clock_change_is_one_visit(start: int) -> None:
    rows = rows_of([does("page_view", start), does("page_view", start + 20 * MINUTE)], start + DAY)
    (session,) = rows.sessions
    assert (session.duration_ms, session.started_ms) == (20 * MINUTE, T0 + start)


def test_a_passive_event_at_the_last_instant_attaches_and_keeps_nothing_open() -> None:
    events = [does("page_view", 0), does("performance", 30 * MINUTE)]
    (session,) = rows_of(events, DAY_LATER).sessions
    assert (session.events, session.closed_ms) == (2, T0 + 30 * MINUTE)
    events = [does("page_view", 0), does("performance", 30 * MINUTE + 1)]
    (session,) = rows_of(events, DAY_LATER).sessions
    assert session.events == 1


@pytest.mark.parametrize(("events", "bot"), [(100, False), (101, True)])
def test_the_hundred_and_first_event_in_a_second_makes_a_bot(events: int, *, bot: bool) -> None:
    burst = [does("click", 0, event_id=f"c{n:03}") for n in range(events)]
    (session,) = rows_of([*burst, does("page_view", MINUTE, path="/a")], DAY_LATER).sessions
    assert (session.bot, session.events) == (bot, events + 1)
    assert len(session.pages) == (0 if bot else 1)
    assert session.page_views == 1


@pytest.mark.parametrize(("events", "bot"), [(5_000, False), (5_001, True)])
def test_the_five_thousand_and_first_event_of_a_visit_makes_a_bot(
    events: int, *, bot: bool
) -> None:
    steady = [does("scroll", 100 * n) for n in range(events)]
    (session,) = fold_history(steady, lambda _: RULES, T0 + DAY, 1).sessions
    assert (session.bot, session.events) == (bot, events)


def test_a_bots_purchase_still_counts_as_an_order() -> None:
    burst = [does("click", 0, event_id=f"c{n:03}") for n in range(101)]
    add = does("cart_add", MINUTE)
    rows = rows_of([*burst, add, does("purchase", 2 * MINUTE, order_id="O")], DAY_LATER)
    assert rows.carts == []
    assert [order.order_id for order in rows.orders] == ["O"]


def test_a_visit_closes_once_the_log_is_past_its_deadline_by_the_grace_at_the_deadlines_time() -> (
    None
):
    feed = Feed(RULES)
    feed.append(T0, [does("page_view", 0)])
    feed.quiet(T0 + 30 * MINUTE + 30 * SECOND)
    assert feed.sessions[-1].open is True
    feed.quiet(T0 + 30 * MINUTE + 32 * SECOND)
    assert (feed.sessions[-1].open, feed.sessions[-1].closed_ms) == (False, T0 + 30 * MINUTE)
    (bounce,) = (signal for signal in feed.signals if signal.kind == "bounce")
    assert bounce.at_ms == T0 + 30 * MINUTE
    assert bounce.emitted_ms > T0 + 30 * MINUTE + 30 * SECOND
