"""Times as parameters and options, and in answers."""

from zoneinfo import ZoneInfo

import pytest

from services.common.errors import InvalidError
from services.common.times import parse, rfc3339

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T10:00:00Z", 1_795_255_200_000),
        ("2026-11-21T10:00:00.250Z", 1_795_255_200_250),
        ("2026-11-21T15:30:00+05:30", 1_795_255_200_000),
        ("2026-11-21T15:30:00 05:30", 1_795_255_200_000),
        ("2026-11-21", 1_795_219_200_000),
        ("1795255200", 1_795_255_200_000),
        ("1795255200.25", 1_795_255_200_250),
        ("1795255200000", 1_795_255_200_000),
        ("now", NOW),
        ("now-6h", NOW - 6 * 3_600_000),
        ("now-90s", NOW - 90_000),
        ("now-2w", NOW - 14 * 86_400_000),
        ("now+1d", NOW + 86_400_000),
        ("0", 0),
    ],
)
def test_every_form_of_a_time_is_read(text: str, moment: int) -> None:
    assert parse("from", text, NOW) == moment


def test_a_time_without_offset_is_of_the_zone_asked_for() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    assert parse("from", "2026-11-21T15:30:00", NOW, kolkata) == 1_795_255_200_000


@pytest.mark.parametrize(
    "text", ["", "now-", "tomorrow", "-5", "1e9", "2026-13-01", "now-999999999w"]
)
def test_what_is_no_time_is_refused_with_its_value(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse("from", text, NOW)
    assert "from" in str(refused.value)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("now-1000y", "one of the units s, m, h, d, w"),
        ("now-", "one of the units s, m, h, d, w"),
        ("now-3000w", "before 1970"),
        ("1969-12-31T23:59:59Z", "before 1970"),
        ("-5", "before 1970"),
        ("2200-01-01", "after 2199"),
        ("tomorrow", "RFC 3339"),
    ],
)
def test_why_it_is_none_is_said(text: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        parse("from", text, NOW)


def test_a_moment_is_written_in_utc() -> None:
    assert rfc3339(1_795_255_200_000) == "2026-11-21T10:00:00Z"
    assert rfc3339(1_795_255_200_250) == "2026-11-21T10:00:00.250Z"
