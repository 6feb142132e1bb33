"""What may lie in the log without being an event, and how long a buyer is known from it."""

import msgspec
import pytest

from services.common.ports import LogRecord
from tests.oracle.feed import TICK, Feed
from tests.oracle.shop import DAY, HOUR, RULES, T0, does

GOOD = does("page_view", 0)


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'{"type":"no such type","event_id":"x","source":"shop","visitor_id":"v","ts_ms":1}',
        msgspec.json.encode(msgspec.structs.replace(GOOD, source="")),
        msgspec.json.encode(msgspec.structs.replace(GOOD, event_id="")),
        msgspec.json.encode(msgspec.structs.replace(GOOD, visitor_id="")),
        msgspec.json.encode(msgspec.structs.replace(GOOD, ts_ms=0)),
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_no_event_is_reported_and_the_others_of_its_record_count(
    line: bytes,
) -> None:
    feed = Feed(RULES)
    body = b"\n".join([line, msgspec.json.encode(GOOD)])
    record = LogRecord(offset=1, append_ms=T0, body=body)
    feed.log.append(record)
    (poison,) = feed.partition.apply(record)
    assert (poison.offset, bool(poison.reason)) == (1, True)
    feed.finish(T0 + HOUR)
    assert [row.events for row in feed.sessions[-1:]] == [1]


@pytest.mark.parametrize(("at", "past"), [(365 * DAY, True), (365 * DAY + 1, False)])
def test_a_buyer_long_gone_is_known_again_for_a_year(at: int, *, past: bool) -> None:
    """Time passes day by day, so that whatever may be forgotten is."""
    feed = Feed(RULES)
    feed.append(T0, [does("purchase", 0, order_id="O")])
    for day in range(1, 366):
        feed.append(T0 + day * DAY - HOUR, [TICK])
        feed.commit()
        feed.crash()
    feed.append(T0 + at, [does("page_view", at)])
    feed.finish(T0 + at + DAY)
    assert feed.sessions[-1].past_buyer is past
    assert feed.sessions[-1].post_purchase is past


def test_of_one_who_never_bought_nothing_is_left_after_two_hours() -> None:
    feed = Feed(RULES)
    feed.append(T0, [GOOD])
    feed.finish(T0 + HOUR)
    assert len(feed.states.kept) == 1
    feed.finish(T0 + 3 * HOUR)
    assert feed.states.kept == {}
