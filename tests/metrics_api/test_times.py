"""Moments in answers, and money as decimal strings."""

import pytest

from services.metrics_api.money import with_money
from services.metrics_api.times import rfc3339


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
