"""A restart from the applied record: the same rows and ids, nothing lost, nothing twice."""

from itertools import pairwise

import pytest

from schemas.event import Event
from services.common.ports import LogRecord
from services.sessionizer.core.partition import Partition
from tests.core.streams import HOUR, MINUTE, RULES, SECOND, T0, Stream, event, same
from tests.support.memory import MemoryStates


def journey() -> list[tuple[int, list[Event]]]:
    """Return append times and events of three shoppers, some out of order, one late."""
    return [
        (1_000, [event("page_view", 500, path="/"), event("page_view", 700, visitor="w")]),
        (9_000, [event("product_view", 8_000), event("click", 8_500, element="buy")]),
        (20_000, [event("cart_add", 19_000, user_id="u"), event("search", 18_500, visitor="w")]),
        (25_000, [event("page_view", 7_000, path="/early"), event("page_view", 500, path="/")]),
        (45_000, [event("cart_add", 44_000, visitor="w", cart_id="c")]),
        (60_000, [event("checkout_start", 59_000), event("click", 2_000, "late", visitor="w")]),
        (75_000, [event("purchase", 74_000, order_id="o", value=990)]),
        (90_000, [event("page_view", 50_000, visitor="w", path="/lagged")]),
        (95_000, [event("page_view", 94_000, visitor="x")]),
    ]


def played(crash_after: int | None, *, commit_every: int = 1) -> Stream:
    stream = Stream()
    for number, (at, events) in enumerate(journey()):
        stream.send(at, *events, commit=number % commit_every == 0)
        if number == crash_after:
            stream.crash()
    for start, end in pairwise(range(100_000, 3 * HOUR, 5 * MINUTE)):
        stream.quiet(start, end)
    return stream


@pytest.mark.parametrize("crash_after", range(9))
@pytest.mark.parametrize("commit_every", [1, 3])
def test_a_crash_after_any_record_changes_no_row(crash_after: int, commit_every: int) -> None:
    whole = played(None)
    broken = played(crash_after, commit_every=commit_every)
    assert same(broken.rows) == same(whole.rows)


def test_the_applied_record_is_the_newest_all_of_whose_events_have_settled() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.send(10_000, event("page_view", 10_000))
    stream.tick(20_000)
    assert stream.partition.applied == -1
    stream.tick(30_000)
    assert stream.partition.applied == 1
    stream.tick(40_000)
    assert stream.partition.applied == 5


def test_a_visit_that_says_nothing_is_stored_later_and_read_again_until_then() -> None:
    stream = Stream()
    for at in range(0, 120, 5):
        stream.send(at * SECOND, event("page_view" if at == 0 else "scroll", at * SECOND))
    # At 30 s the first page is told, at 90 s the session's row (13 events have settled by then);
    # since then five more have settled and said nothing.
    stored = stream.states.kept[b"shop\x1fv"]
    assert stream.meta is not None
    assert (stream.partition.applied, stream.meta.applied) == (13, 13)
    stream.crash()
    assert stream.partition.visitor("shop", "v")["open_session"]["events"] == 24  # type: ignore[index]
    stream.quiet(2 * MINUTE, 5 * MINUTE)
    assert stream.states.kept[b"shop\x1fv"] != stored
    assert [row["events"] for row in stream.sessions()] == [24]


def test_meta_holds_the_clock_as_of_the_applied_record() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.send(10_000, event("page_view", 10_000))
    stream.tick(35_000)
    assert stream.meta is not None
    assert (stream.meta.applied, stream.meta.clock_ms) == (1, T0)


def test_time_read_again_decides_nothing_that_waiting_events_held_back() -> None:
    # The session's deadline is 30:20. A passive event keeps it from firing until 31:10; so what
    # comes at 31:00 is in time. After the crash it is read again, and time from 30:52.
    stream = Stream()
    stream.quiet(0, 20 * SECOND)
    stream.send(20 * SECOND, event("page_view", 20 * SECOND))
    stream.quiet(22 * SECOND, 30 * MINUTE + 40 * SECOND)
    at = 30 * MINUTE
    stream.send(at + 40 * SECOND, event("performance", at + 10 * SECOND))
    stream.quiet(at + 41 * SECOND, at + 51 * SECOND)
    stream.send(at + 52 * SECOND, event("page_view", at + 52 * SECOND, visitor="w"))
    stream.send(at + 60 * SECOND, event("page_view", at + 20 * SECOND, "last"))
    stream.quiet(at + 61 * SECOND, at + 75 * SECOND)
    stream.crash()
    stream.quiet(at + 76 * SECOND, 2 * HOUR)
    assert stream.flags() == []
    assert [row["page_views"] for row in stream.sessions()] == [2]


def test_versions_grow_across_a_restart() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 2 * MINUTE)
    before = stream.sessions()[0]["version"]
    stream.crash()
    stream.quiet(2 * MINUTE, HOUR)
    assert stream.sessions()[0]["version"] > before


def test_a_link_once_sent_is_not_sent_again_after_a_restart() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, user_id="u"))
    stream.quiet(SECOND, MINUTE)
    sent = len(stream.forwards)
    stream.crash()
    stream.send(MINUTE + 1, event("page_view", MINUTE, user_id="u"))
    assert len(stream.forwards) == sent == 1


def test_states_outside_the_overlay_are_found_again() -> None:
    stream = Stream(resident=1)
    for number in range(20):
        stream.send(number * 100, event("page_view", number * 100, visitor=f"v{number}"))
    stream.quiet(3_000, MINUTE)
    for number in range(20):
        at = MINUTE + number * 100
        stream.send(at, event("page_view", at, visitor=f"v{number}"))
    stream.quiet(2 * MINUTE, HOUR)
    assert [stream.sessions(f"v{number}")[0]["page_views"] for number in range(20)] == [2] * 20


class CountingStates(MemoryStates):
    """States that count how often one was asked for."""

    asked = 0

    def get(self, key: bytes) -> bytes | None:
        self.asked += 1
        return super().get(key)


def visits(number: int) -> Stream:
    """Return a shop whose visitors came twice within a minute, and minutes later are still in."""
    stream = Stream()
    for at in (SECOND, 20 * SECOND):
        stream.send(at, *(event("page_view", at, visitor=f"v{one}") for one in range(number)))
    stream.quiet(30 * SECOND, 4 * MINUTE)
    return stream


def test_a_start_looks_at_no_state_that_has_told_all() -> None:
    stream = visits(20)
    states = CountingStates()
    states.kept = stream.states.kept
    partition = Partition(lambda _: RULES, states, stream.meta)
    partition.apply(LogRecord(len(stream.log) + 1, T0 + 4 * MINUTE + SECOND, b'{"type":"__tick"}'))
    assert states.asked == 0
    partition.visitor("shop", "v0")
    assert states.asked > 0, "it counts nothing"


def test_a_session_that_rested_over_a_start_tells_its_changes_and_its_end() -> None:
    stream = visits(3)
    stream.crash()
    at = 5 * MINUTE
    stream.send(at, event("page_view", at, visitor="v0"))
    stream.quiet(at + SECOND, at + 31 * SECOND, SECOND)
    assert [row["page_views"] for row in stream.sessions("v0")] == [3]
    stream.send(at + 35 * SECOND, event("page_view", at + 35 * SECOND, visitor="v0"))
    stream.quiet(at + 36 * SECOND, at + 70 * SECOND, SECOND)
    assert [row["page_views"] for row in stream.sessions("v0")] == [3], "within the minute"
    stream.crash()
    stream.quiet(at + 71 * SECOND, at + 91 * SECOND, SECOND)
    assert [row["page_views"] for row in stream.sessions("v0")] == [4]
    stream.quiet(at + 95 * SECOND, HOUR)
    assert not any(stream.sessions(one)[0]["open"] for one in ("v0", "v1", "v2"))
