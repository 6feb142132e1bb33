"""Times as parameters, and money as decimal strings."""

from zoneinfo import ZoneInfo

import pytest

from services.metrics_api.errors import ApiError
from services.metrics_api.money import with_money
from services.metrics_api.times import parse, rfc3339

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
    with pytest.raises(ApiError) as refused:
        parse("from", text, NOW)
    assert "from" in str(refused.value)
    assert repr(text) in str(refused.value)


def test_a_moment_is_written_in_utc() -> None:
    assert rfc3339(1_795_255_200_000) == "2026-11-21T10:00:00Z"
    assert rfc3339(1_795_255_200_250) == "2026-11-21T10:00:00.250Z"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (3579, "EUR", "35.79"),
        (5, "EUR", "0.05"),
        (0, "EUR", "0.00"),
        (-3579, "EUR", "-35.79"),
        (500, "JPY", "500"),
        (1299, "KWD", "1.299"),
        (1, "KWD", "0.001"),
        (3579, "", "35.79"),
        (10**15 + 1, "EUR", "10000000000000.01"),
    ],
)
def test_money_is_a_decimal_string_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert with_money({"value": minor}, ("value",), currency) == {"value": text}


def test_money_that_is_not_known_stays_null() -> None:
    assert with_money({"value": None}, ("value", "tax"), "EUR") == {"value": None}
