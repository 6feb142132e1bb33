"""Money: minor units of every currency, exactly."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event, Product
from schemas.money import exponents, to_minor, to_text

Accept = Callable[..., Event]
BASE = {"type": "cart_add", "event_id": "e-1", "visitor_id": "v-1"}


@pytest.mark.parametrize(
    ("currency", "sent", "minor"),
    [
        ("EUR", "35.79", 3579),
        ("EUR", 35.79, 3579),
        ("EUR", 35, 3500),
        ("EUR", "1e2", 10000),
        ("EUR", 0.1 + 0.2, 30),
        ("EUR", 1.005, 101),
        ("EUR", "2.675", 268),
        ("EUR", 0, 0),
        ("EUR", "0.001", 0),
        ("JPY", "3579", 3579),
        ("JPY", 3579.0, 3579),
        ("JPY", "0.5", 1),
        ("KRW", 1000, 1000),
        ("KWD", "1.234", 1234),
        ("BHD", 0.001, 1),
        ("TND", "12.5", 12500),
        ("EUR", "9999999999.99", 999999999999),
        ("EUR", 4503599627370.49, 450359962737049),
    ],
)
def test_amounts_become_minor_units(
    accept: Accept, currency: str, sent: float | str, minor: int
) -> None:
    event = accept(BASE | {"currency": currency, "value": sent})
    assert (event.value, event.currency) == (minor, currency)


def test_lines_and_amounts_share_the_currency(accept: Accept) -> None:
    event = accept(
        BASE
        | {
            "currency": "kwd",
            "products": [{"product_id": "a", "price": "1.5", "quantity": 2}, {"product_id": "b"}],
            "shipping": 1,
            "tax": "0.25",
            "discount": 0.125,
        }
    )
    assert event.products == [Product("a", price=1500, quantity=2), Product("b")]
    assert (event.shipping, event.tax, event.discount) == (1000, 250, 125)
    assert event.currency == "KWD"


def test_no_currency_is_the_sources(accept: Accept) -> None:
    assert accept(BASE | {"value": 1}).currency == "EUR"
    assert accept(BASE | {"value": 1, "currency": ""}).currency == "EUR"
    assert accept(BASE).currency == ""


def test_every_currency_in_use_has_its_decimals() -> None:
    table = exponents()
    assert len(table) > 150
    assert [table[code] for code in ("JPY", "EUR", "KWD", "ISK", "CLP", "IQD")] == [
        0,
        2,
        3,
        0,
        0,
        3,
    ]


@given(currency=st.sampled_from(sorted(exponents())), minor=st.integers(0, 10**14))
def test_money_goes_there_and_back(currency: str, minor: int) -> None:
    text = to_text(minor, currency)
    assert to_minor(text, exponents()[currency]) == minor
    assert "E" not in text


@given(cents=st.integers(0, 10**13))
def test_a_number_is_the_text_it_stood_for(cents: int) -> None:
    assert to_minor(float(to_text(cents, "EUR")), 2) == cents
