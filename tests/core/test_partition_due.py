"""What falls due at once is done in slices: the same rows, whatever is stored or lost between."""

import pytest

from services.common.ports import LogRecord
from services.sessionizer.core.partition import Partition
from tests.core.streams import HOUR, MINUTE, SECOND, T0, Stream, event, same

SHOPPERS = [f"v{number}" for number in range(7)]


def left_at_once(most: int | None = None, slices: int = -1) -> Stream:
    """Return a shop all of whose shoppers leave in one second, after a stall."""
    stream = Stream(most=most, slices=slices)
    stream.send(1_000, *(event("page_view", 500, visitor=one) for one in SHOPPERS))
    stream.send(2_000, *(event("cart_add", 1_500, visitor=one, cart_id=one) for one in SHOPPERS))
    stream.quiet(10 * SECOND, 2 * MINUTE)
    stream.tick(50 * MINUTE)
    stream.quiet(51 * MINUTE, HOUR + 10 * MINUTE)
    stream.send(2 * HOUR, event("page_view", 2 * HOUR, visitor=SHOPPERS[3]))
    stream.quiet(2 * HOUR + MINUTE, 3 * HOUR)
    return stream


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_slices_tell_the_same(most: int) -> None:
    whole, sliced = left_at_once(), left_at_once(most)
    assert same(sliced.rows) == same(whole.rows)
    assert {kind for kind, _ in whole.signals("v0")} >= {"cart_abandoned"}


@pytest.mark.parametrize("slices", range(1, 7))
def test_a_crash_between_slices_changes_no_row(slices: int) -> None:
    broken = left_at_once(2, slices)
    assert broken.slices <= 0, "it never crashed"
    assert same(broken.rows) == same(left_at_once().rows)


def test_no_more_is_done_at_a_time_than_asked_for() -> None:
    stream = Stream()
    stream.send(1_000, *(event("page_view", 500, visitor=one) for one in SHOPPERS))
    stream.quiet(10 * SECOND, 30 * MINUTE + 25 * SECOND)
    at = 30 * MINUTE + 31 * SECOND
    ends = []
    stream.partition.apply(LogRecord(len(stream.log) + 1, T0 + at, b'{"type":"__tick"}'), 3)
    while stream.partition.more_due:
        ends.append(closed(stream.partition))
        stream.partition.fire(3)
    ends.append(closed(stream.partition))
    assert sum(ends) == len(SHOPPERS)
    assert max(ends) <= 3


def closed(partition: Partition) -> int:
    """Take what changed; return how many sessions it closes."""
    changes = partition.take()
    partition.committed()
    return sum(b'"open":false' in row for row in changes.rows.get("sessions", ()))
