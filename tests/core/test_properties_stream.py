"""However a history comes, as long as nothing in it is late, it comes to the oracle's rows."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.rows import SignalRow
from schemas.spans import DAY_MS, HOUR_MS
from services.sessionizer.core.policy import SourceRules
from tests.oracle.compare import FREE, agree
from tests.oracle.feed import MINUTE, TICK, Feed, arrivals
from tests.oracle.oracle import judge
from tests.oracle.strategies import RULES, histories

GRACE = 30_000
LATER = st.sampled_from([33 * MINUTE, 48 * MINUTE + 1, DAY_MS + HOUR_MS, 8 * DAY_MS])
WHAT = st.sampled_from(["", "", "", "", "tick", "commit", "commit", "crash", "repeat"])
"""What happens after a record: nothing, time, a transaction, a kill, a client's retry."""


def happen(feed: Feed, what: str, event: Event) -> None:
    now = feed.log[-1].append_ms
    if what == "tick":
        feed.append(now + 1, [TICK])
    elif what == "commit":
        feed.commit()
    elif what == "crash":
        feed.crash()
    elif what == "repeat":
        again = msgspec.structs.replace(event, received_ms=event.received_ms + 1)
        feed.append(now, [again])


@settings(max_examples=40, deadline=None)
@given(events=histories(("v", "v", "w")), rules=RULES, later_ms=LATER, data=st.data())
def test_any_order_in_which_nothing_is_late_any_repeat_and_any_restart_equal_the_oracle(
    events: list[Event], rules: SourceRules, later_ms: int, data: st.DataObject
) -> None:
    """Visitors without links; delays below the grace; commits and kills wherever they fall."""
    events = [msgspec.structs.replace(e, cart_id="", user_id="", order_id="") for e in events]
    sizes = st.lists(st.integers(0, GRACE - 2), min_size=len(events), max_size=len(events))
    feed = Feed(rules, data.draw(st.sampled_from([1, 1_000]), label="resident"))
    joined_ms = data.draw(st.sampled_from([0, GRACE - 2]), label="joined")
    for append_ms, some in arrivals(events, data.draw(sizes, label="delays"), joined_ms):
        feed.append(max(append_ms, feed.log[-1].append_ms if feed.log else 0), some)
        happen(feed, data.draw(WHAT, label="what"), some[0])
    as_of_ms = feed.log[-1].append_ms + later_ms
    feed.finish(as_of_ms)
    assert feed.flags == []
    agree(judge(events, rules, as_of_ms), feed)
    assert_every_statement_is_newer_or_the_same(feed)


LAGS = st.sampled_from([0, 1, GRACE - 1, GRACE, GRACE + 1, 5 * MINUTE, 31 * MINUTE, 3 * HOUR_MS])


@settings(max_examples=40, deadline=None)
@given(events=histories(("v", "v", "w")), rules=RULES, later_ms=LATER, data=st.data())
def test_however_late_things_come_whatever_differs_from_the_oracle_is_marked(
    events: list[Event], rules: SourceRules, later_ms: int, data: st.DataObject
) -> None:
    events = [msgspec.structs.replace(e, cart_id="", user_id="", order_id="") for e in events]
    sizes = st.lists(LAGS, min_size=len(events), max_size=len(events))
    feed = Feed(rules)
    for append_ms, some in arrivals(events, data.draw(sizes, label="delays"), 0):
        feed.append(append_ms, some)
        happen(feed, data.draw(WHAT, label="what"), some[0])
    as_of_ms = feed.log[-1].append_ms + later_ms
    feed.finish(as_of_ms)
    marked = {flag.visitor_id for flag in feed.flags}
    agree(judge(events, rules, as_of_ms), feed, marked)


@settings(max_examples=40, deadline=None)
@given(events=histories(), rules=RULES, later_ms=LATER, data=st.data())
def test_a_backlog_with_links_equals_the_oracle(
    events: list[Event], rules: SourceRules, later_ms: int, data: st.DataObject
) -> None:
    """Two days and a half at once, in any order, orders reaching other visitors on the way.

    Who is first heard of hours late is marked (a state may be gone), and folded right all the same.
    """
    feed = Feed(rules)
    events = [event for event in events if event.ts_ms >= events[-1].ts_ms - 60 * HOUR_MS]
    start_ms = events[-1].ts_ms + 5 * HOUR_MS
    for at, event in enumerate(data.draw(st.permutations(events), label="order")):
        feed.append(start_ms + 100 * at, [event])
        feed.commit()
        if data.draw(WHAT, label="what") == "crash":
            feed.crash()
    as_of_ms = feed.log[-1].append_ms + later_ms
    feed.finish(as_of_ms)
    assert [flag for flag in feed.flags if flag.flag != "stateless"] == []
    agree(judge(events, rules, as_of_ms), feed)
    assert_every_statement_is_newer_or_the_same(feed)


@settings(max_examples=40, deadline=None)
@given(events=histories(), rules=RULES, later_ms=LATER, data=st.data())
def test_live_with_links_whatever_differs_from_the_oracle_is_marked_for_the_rebuild(
    events: list[Event], rules: SourceRules, later_ms: int, data: st.DataObject
) -> None:
    """As it comes; an order that reaches a visitor after the fact may differ, if it is flagged."""
    feed = Feed(rules)
    for event in events:
        feed.append(event.ts_ms, [event])
        feed.commit()
        if data.draw(WHAT, label="what") == "crash":
            feed.crash()
    as_of_ms = feed.log[-1].append_ms + later_ms
    feed.finish(as_of_ms)
    marked = {flag.visitor_id for flag in feed.flags}
    agree(judge(events, rules, as_of_ms), feed, marked)
    assert_every_statement_is_newer_or_the_same(feed)


def assert_every_statement_is_newer_or_the_same(feed: Feed) -> None:
    """No id is emitted with two contents except as a higher version, and a signal only once."""
    for key, rows in feed.statements().items():
        by_version: dict[int, object] = {}
        for row in rows:
            content = {k: v for k, v in msgspec.to_builtins(row).items() if k not in FREE}
            assert by_version.setdefault(row.version, content) == content, key
        if key[0] == "signal":
            assert [row.retracted for row in rows if isinstance(row, SignalRow)] in (
                [False],
                [False, True],
            )
