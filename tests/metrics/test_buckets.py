"""Buckets align to local midnight, whatever the zone does that night."""

from datetime import UTC, datetime

import pytest

from schemas.spans import DAY_MS, HOUR_MS
from services.common.errors import InvalidError
from services.common.times import LATEST_MS
from services.rollups.buckets import QUARTER, buckets, days


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def starts(found: list[int]) -> list[str]:
    return [f"{datetime.fromtimestamp(at / 1000, UTC):%m-%dT%H:%M}" for at in found]


def edges(from_: str, to: str, step: str, tz: str) -> list[str]:
    return starts([bucket.start_ms for bucket in buckets(ms(from_), ms(to), step, tz)])


def test_no_step_is_one_bucket_as_wide_as_the_range() -> None:
    (only,) = buckets(5, 9, "", "UTC")
    assert (only.from_ms, only.to_ms, only.partial) == (5, 9, False)


def test_days_follow_the_calendar_of_the_zone() -> None:
    assert edges("2026-11-20T18:30Z", "2026-11-22T18:30Z", "1d", "Asia/Kolkata") == [
        "11-20T18:30",
        "11-21T18:30",
    ]


def test_the_night_that_loses_an_hour_makes_a_day_of_23() -> None:
    found = buckets(ms("2026-03-28T23:00Z"), ms("2026-03-29T22:00Z"), "1d", "Europe/Berlin")
    assert [(day.end_ms - day.start_ms) // HOUR_MS for day in found] == [23]
    hours = buckets(ms("2026-03-28T23:00Z"), ms("2026-03-29T22:00Z"), "1h", "Europe/Berlin")
    assert len(hours) == 23
    assert not any(hour.partial for hour in hours)


def test_the_night_that_gains_an_hour_makes_a_day_of_25_with_both_hours() -> None:
    night = ms("2026-10-24T22:00Z"), ms("2026-10-25T23:00Z")
    assert len(buckets(*night, "1d", "Europe/Berlin")) == 1
    hours = buckets(*night, "1h", "Europe/Berlin")
    assert [hour.end_ms - hour.start_ms for hour in hours] == [HOUR_MS] * 25


def test_long_steps_within_a_day_follow_the_wall_clock() -> None:
    assert edges("2026-10-24T22:00Z", "2026-10-25T23:00Z", "6h", "Europe/Berlin") == [
        "10-24T22:00",
        "10-25T05:00",
        "10-25T11:00",
        "10-25T17:00",
    ]


def test_a_midnight_that_the_clock_skips_begins_the_day_at_one() -> None:
    assert edges("2026-04-23T22:00Z", "2026-04-24T21:00Z", "1d", "Africa/Cairo") == ["04-23T22:00"]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert edges("2026-11-18T00:00Z", "2026-11-30T00:00Z", "1w", "UTC") == [
        "11-16T00:00",
        "11-23T00:00",
    ]
    assert edges("2026-01-31T00:00Z", "2026-03-01T00:00Z", "1mo", "UTC") == [
        "01-01T00:00",
        "02-01T00:00",
    ]


def test_a_bucket_that_the_range_cuts_says_so() -> None:
    found = buckets(ms("2026-11-21T10:30Z"), ms("2026-11-21T12:00Z"), "1h", "UTC")
    assert [(bucket.partial, bucket.from_ms - bucket.start_ms) for bucket in found] == [
        (True, HOUR_MS // 2),
        (False, 0),
    ]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        *(
            (step, "is none of 30s, 15m, 1h, 1d, 1w, 1mo, 1y or seconds")
            for step in ("5 bananas", "-1h", "1.5h")
        ),
        *((step, "neither divides a day nor is whole days") for step in ("7m", "25h", "90001")),
        *((step, "has no width") for step in ("0", "0m", "0h", "0d", "00w", "0mo")),
        *((step, "is longer than a hundred years") for step in ("101y", "9999w", "999999999mo")),
    ],
)
def test_what_is_no_step_is_refused_with_what_is_wrong_with_it(step: str, why: str) -> None:
    with pytest.raises(InvalidError, match=f"^step = '{step}': {why}"):
        buckets(0, HOUR_MS, step, "UTC")


@pytest.mark.parametrize("step", ["100y", "1200mo", "5217w", "36525d", "604800"])
def test_the_longest_steps_hold_any_range(step: str) -> None:
    assert 1 <= len(buckets(0, DAY_MS, step, "UTC")) <= 2
    assert 1 <= len(buckets(LATEST_MS - DAY_MS, LATEST_MS, step, "UTC")) <= 2


def test_too_many_buckets_are_refused() -> None:
    with pytest.raises(InvalidError, match="1s"):
        buckets(0, 24 * HOUR_MS, "1s", "UTC")
    with pytest.raises(InvalidError, match="Mars"):
        buckets(0, HOUR_MS, "1h", "Mars/Olympus")


def test_seconds_without_a_unit_are_read_as_in_prometheus() -> None:
    assert len(buckets(0, HOUR_MS, "900", "UTC")) == HOUR_MS // QUARTER
    assert len(buckets(0, 48 * HOUR_MS, "86400", "UTC")) == 2


def test_whole_days_alone_can_be_sealed() -> None:
    second, third = 2 * DAY_MS, 3 * DAY_MS
    assert days(HOUR_MS, third, "UTC") == [(DAY_MS, second), (second, third)]
    assert days(5, 5, "UTC") == []
