"""Outages, stalls and backlogs: nobody is declared gone because we, or her network, were down."""

import pytest

from schemas.event import Event
from tests.oracle.feed import TICK, Feed
from tests.oracle.shop import HOUR, MINUTE, RULES, SECOND, T0, TEA, does, ever_told, told

ADD = does("cart_add", 0, products=[TEA])


def queued(until: int) -> list[Event]:
    """Return what she did after the add while nothing reached us, and the order at the end."""
    steps = range(10 * MINUTE, until, 10 * MINUTE)
    return [*(does("page_view", at) for at in steps), does("purchase", until, order_id="O")]


def up_to(last: int) -> Feed:
    feed = Feed(RULES)
    feed.append(T0, [ADD])
    feed.quiet(T0 + last)
    return feed


@pytest.mark.parametrize("drained_after", [0, 30 * SECOND, 14 * MINUTE])
def test_a_backlog_after_a_six_hour_outage_tells_no_abandonment(drained_after: int) -> None:
    feed = up_to(MINUTE)
    back = T0 + 6 * HOUR
    feed.append(back, [does("page_view", 6 * HOUR, "other")])
    feed.quiet(back + drained_after) if drained_after else feed.commit()
    for event in queued(50 * MINUTE):
        feed.append(back + drained_after, [event])
        feed.commit()
    feed.finish(back + 2 * HOUR)
    assert told(feed.signals) == [("converted", 50 * MINUTE)]
    assert "cart_abandoned" not in ever_told(feed.signals)
    assert feed.flags == []


@pytest.mark.parametrize("delay", [0, 30 * SECOND, 14 * MINUTE])
def test_a_stall_of_forty_minutes_with_ticks_stopped_tells_no_abandonment(delay: int) -> None:
    feed = up_to(MINUTE)
    back = T0 + 41 * MINUTE
    feed.append(back, [TICK])
    feed.quiet(back + delay) if delay else feed.commit()
    feed.append(back + delay, queued(20 * MINUTE))
    feed.finish(back + 2 * HOUR)
    assert told(feed.signals) == [("converted", 20 * MINUTE)]
    assert "cart_abandoned" not in ever_told(feed.signals)
    assert feed.flags == []


def test_after_a_stall_one_who_really_left_is_told_at_her_own_time() -> None:
    feed = up_to(MINUTE)
    back = T0 + 41 * MINUTE
    feed.append(back, [TICK])
    feed.quiet(back + 14 * MINUTE)
    assert told(feed.signals) == []
    feed.quiet(back + 16 * MINUTE)
    assert told(feed.signals) == [("cart_abandoned", 30 * MINUTE)]


def test_no_ingest_no_time() -> None:
    feed = up_to(29 * MINUTE)
    feed.crash()
    feed.commit()
    assert told(feed.signals) == []
    assert feed.partition.clock_ms == T0 + 29 * MINUTE


def test_a_hole_of_ten_seconds_is_no_stall_and_a_millisecond_more_is() -> None:
    for hole, known in ((10 * SECOND, True), (10 * SECOND + 1, False)):
        feed = up_to(30 * MINUTE)
        feed.append(T0 + 30 * MINUTE + hole, [TICK])
        feed.quiet(T0 + 31 * MINUTE)
        assert bool(told(feed.signals)) is known


def test_a_visitor_whose_events_come_with_a_lag_is_waited_for() -> None:
    """Her phone sends with a lag of 20 minutes; the log itself never stalls."""
    feed = up_to(0)
    feed.quiet(T0 + 30 * MINUTE)
    feed.append(T0 + 30 * MINUTE, [does("page_view", 10 * MINUTE)])
    feed.quiet(T0 + 49 * MINUTE)
    assert told(feed.signals) == []
    feed.append(T0 + 49 * MINUTE, [does("purchase", 29 * MINUTE, order_id="O")])
    feed.quiet(T0 + 2 * HOUR)
    assert told(feed.signals) == [("converted", 29 * MINUTE)]
    assert "cart_abandoned" not in ever_told(feed.signals)


def test_a_kill_between_the_abandonment_and_its_commit_tells_it_once_with_the_same_id() -> None:
    feed = up_to(30 * MINUTE)
    for second in range(10, 60, 10):
        feed.append(T0 + 30 * MINUTE + second * SECOND, [TICK])
    feed.crash()
    feed.commit()
    feed.quiet(T0 + 33 * MINUTE)
    assert told(feed.signals) == [("cart_abandoned", 30 * MINUTE)]
    assert len({row.signal_id for row in feed.signals if row.kind == "cart_abandoned"}) == 1


def test_a_replay_at_full_speed_equals_the_day_it_replays() -> None:
    day = [ADD, does("page_view", 2 * HOUR), does("cart_add", 5 * HOUR, products=[TEA])]
    feed = Feed(RULES)
    feed.append(T0 + 6 * HOUR, day)
    feed.finish(T0 + 8 * HOUR)
    assert told(feed.signals) == [
        ("cart_abandoned", 30 * MINUTE),
        ("bounce", 2 * HOUR + 30 * MINUTE),
    ]
