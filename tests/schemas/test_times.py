"""When an event happened: dates of every kind, clock correction, age."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.context import site
from schemas.event import Event
from schemas.refusal import Refusal
from schemas.times import parse

Accept = Callable[..., Event]
Refuse = Callable[..., Refusal]
NOW = 1_795_255_200_000  # 2026-11-21T10:00:00Z
HOUR = 3_600_000
BASE = {"type": "page_view", "event_id": "e-1", "visitor_id": "v-1"}


@pytest.mark.parametrize(
    ("told", "ms"),
    [
        ("2026-11-21T10:00:00Z", NOW),
        ("2026-11-21t10:00:00z", NOW),
        ("2026-11-21 10:00:00Z", NOW),
        ("2026-11-21T10:00:00.123Z", NOW + 123),
        ("2026-11-21T10:00:00.123456789Z", NOW + 123),
        ("2026-11-21T15:30:00+05:30", NOW),
        ("2026-11-21T02:00:00-08:00", NOW),
        ("20261121T100000Z", NOW),
        ("2026-11-21T10:00Z", NOW),
        (1_795_255_200, NOW),
        (1_795_255_200.5, NOW + 500),
        (1_795_255_200_000, NOW),
        ("1795255200", NOW),
        ("1795255200000", NOW),
        (" 2026-11-21T10:00:00Z ", NOW),
        ("1969-12-31T23:59:59Z", -1_000),
    ],
)
def test_dates_of_every_kind_are_read(told: Any, ms: int) -> None:
    assert parse(told, ZoneInfo("UTC")) == ms


def test_a_date_without_offset_is_in_the_zone_of_the_source(accept: Accept) -> None:
    kolkata = site("shop", timezone="Asia/Kolkata")
    event = accept(BASE | {"timestamp": "2026-11-21T15:30:00"}, site=kolkata)
    assert event.ts_ms == NOW


@pytest.mark.parametrize(
    "told",
    [
        "yesterday",
        "",
        "2026-11-21",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "11/21/2026 10:00",
        "Sat, 21 Nov 2026 10:00:00 GMT",
        "2026-11-21T25:00:00Z",
        "9" * 400,
        "0x10",
        1e300,
    ],
)
def test_what_is_no_date_is_refused_with_its_value(refuse: Refuse, told: Any) -> None:
    refusal = refuse(BASE | {"timestamp": told})
    assert (refusal.code, refusal.field) == ("invalid_field", "timestamp")
    assert str(told)[:20] in refusal.message


@pytest.mark.parametrize(
    ("fields", "code", "part"),
    [
        ({"ts_ms": 1_795_255_200}, "invalid_field", "it looks like seconds"),
        ({"ts_ms": 0}, "invalid_field", "outside the years 1990 to 2100"),
        ({"ts_ms": -1}, "invalid_field", "outside the years 1990 to 2100"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "invalid_field", "outside the years"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "invalid_field", "outside the years"),
        ({"ts_ms": 10**400}, "invalid_field", "ts_ms"),
        ({"ts_ms": NOW + 24 * HOUR + 1}, "in_future", "more than a day later than now"),
        ({"ts_ms": NOW - 72 * HOUR - 1}, "too_old", "2026-11-18T09:59:59Z is more than 72 hours"),
        ({"timestamp": "2026-11-18T09:59:59Z"}, "too_old", "history is imported"),
        ({"ts_ms": "soon"}, "invalid_field", "as timestamp), got 'soon'"),
        (
            {"ts_ms": "1795255200000"},
            "invalid_field",
            "expected int (epoch milliseconds; a date is sent",
        ),
    ],
)
def test_far_past_and_future_are_refused(
    refuse: Refuse, fields: dict[str, Any], code: str, part: str
) -> None:
    refusal = refuse(BASE | fields)
    assert refusal.code == code
    assert part in refusal.message


def test_72_hours_are_taken_live_and_any_age_in_an_import(accept: Accept) -> None:
    assert accept(BASE | {"ts_ms": NOW - 72 * HOUR}).ts_ms == NOW - 72 * HOUR
    assert accept(BASE | {"ts_ms": 1_000_000_000_000}, max_age_ms=None).ts_ms == 10**12


def test_no_time_is_the_time_of_arrival(accept: Accept) -> None:
    event = accept(BASE)
    assert (event.ts_ms, event.received_ms) == (NOW, NOW)


def test_ts_ms_wins_over_timestamp(accept: Accept) -> None:
    event = accept(BASE | {"ts_ms": NOW - 5, "timestamp": "2026-11-21T09:00:00Z"})
    assert event.ts_ms == NOW - 5


@pytest.mark.parametrize(
    ("ts", "sent", "expected"),
    [
        (NOW - 5_000, NOW, NOW - 5_000),
        (NOW - 5_000, NOW - 30_000, NOW - 5_000),
        (NOW - 5_000, NOW + 30_000, NOW - 5_000),
        # A client an hour behind, then one an hour ahead.
        (NOW - HOUR - 5_000, NOW - HOUR, NOW - 5_000),
        (NOW + HOUR - 5_000, NOW + HOUR, NOW - 5_000),
        (NOW - 35_001, NOW - 30_001, NOW - 5_000),
        # A clock reset to 1970.
        (5_000, 10_000, NOW - 5_000),
    ],
)
def test_a_clock_is_corrected_when_more_than_30_seconds_off(
    accept: Accept, ts: int, sent: int, expected: int
) -> None:
    event = accept(BASE | {"ts_ms": ts}, sent_ms=sent)
    assert (event.ts_ms, event.sent_ms, event.received_ms) == (expected, sent, NOW)
    event = accept(BASE | {"ts_ms": ts, "sent_ms": sent})
    assert (event.ts_ms, event.sent_ms, event.received_ms) == (expected, sent, NOW)


def test_a_time_is_never_later_than_received(accept: Accept) -> None:
    assert accept(BASE | {"ts_ms": NOW + 29_000}).ts_ms == NOW
    assert accept(BASE | {"ts_ms": NOW + 24 * HOUR}).ts_ms == NOW
