"""Money in answers: decimal strings."""

import pytest

from services.metrics_api.money import with_money


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
