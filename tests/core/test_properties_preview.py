"""What a dry run tells of events is what the live view shows once they have really come."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.rows import SignalRow
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.preview import preview
from tests.oracle.feed import Feed, arrivals
from tests.oracle.strategies import DAY, HOUR, MINUTE, RULES, histories
from tests.support.memory import MemoryStates

DELAYS = st.lists(st.sampled_from([0, 0, 1, 700, 5_000, 29_999]), min_size=80, max_size=80)
QUIET = [0, 0, 31_000, 31 * MINUTE]
AGES = [0, 0, 1, 400, 999, 5_000, 5_001, 29_999, 30_000, 30_001, 45_000, 31 * MINUTE, HOUR, DAY]


@st.composite
def bodies(draw: st.DrawFn, past: list[Event], now_ms: int) -> list[Event]:
    """Draw a few new events of the visitor, of any age, and some that were sent before."""
    body = []
    for number, event in enumerate(draw(histories(("v",), max_size=6))[:6]):
        new_id = f"{draw(st.sampled_from('acz'))}-{number}"
        ts_ms = now_ms - draw(st.sampled_from(AGES))
        new = msgspec.structs.replace(event, event_id=new_id, ts_ms=ts_ms)
        if draw(st.sampled_from([True, False, False])):
            new = msgspec.structs.replace(new, type="purchase", order_id=f"N{number % 2}")
        body.append(new)
    again = draw(st.lists(st.sampled_from([*past, *body]), max_size=2))
    return draw(st.permutations([*body, *again]))


def known_here(feed: Feed) -> MemoryStates:
    states, data = MemoryStates(), feed.partition.unsettled("shop", "v")
    assert data is not None
    states.kept[b"shop\x1fv"] = data
    return states


def unsettled(feed: Feed) -> dict[str, SignalRow]:
    return {row.signal_id: row for row in feed.partition.live_signals() if row.visitor_id == "v"}


@settings(max_examples=150, deadline=None)
@given(
    events=histories(("v",), longest=HOUR, max_size=8),
    delays=DELAYS,
    joined_ms=st.sampled_from([0, 2_000]),
    quiet_ms=st.sampled_from(QUIET),
    rules=RULES,
    data=st.data(),
)
def test_a_preview_tells_what_the_live_view_shows_once_the_events_have_come(
    *,
    events: list[Event],
    delays: list[int],
    joined_ms: int,
    quiet_ms: int,
    rules: SourceRules,
    data: st.DataObject,
) -> None:
    feed = Feed(rules)
    for append_ms, some in arrivals(events, delays[: len(events)], joined_ms):
        feed.append(append_ms, some)
        feed.commit()
    if quiet_ms:
        feed.quiet(feed.log[-1].append_ms + quiet_ms)
    now_ms = feed.log[-1].append_ms
    body = data.draw(bodies(events, now_ms))
    shown = feed.partition.visitor("shop", "v")
    for event, told in zip(body, preview(body, rules, known_here(feed)), strict=True):
        before, final, tally = unsettled(feed), len(feed.signals), feed.partition.tally
        late, repeated = tally.late, tally.repeated
        feed.append(now_ms, [event])
        assert told["late"] == (tally.late > late), told
        assert told["duplicate"] == (tally.repeated > repeated), told
        assert told["before"] == shown
        shown = feed.partition.visitor("shop", "v")
        assert told["after"] == shown
        feed.commit()
        came = [*unsettled(feed).values(), *feed.signals[final:]]
        new = [row for row in came if row.signal_id not in before and not row.retracted]
        signals = sorted((one["kind"], one["stage"]) for one in told["signals"])
        assert signals == sorted((row.kind, row.stage) for row in new)
