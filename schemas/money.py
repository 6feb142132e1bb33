"""Money: from major units as sent to integer minor units, and back, by ISO 4217.

Never a sum of floats: a number is taken as the decimal text it stood for.
"""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache, lru_cache

import iso4217

MAX_MINOR = 10**15
"""More than any order; it keeps sums of orders within 64 bits."""

_LONGEST = 40
_SURE_FLOAT = 1e12  # so many units still have three exact decimals in a float


@cache
def exponents() -> dict[str, int]:
    """Return the decimals of each currency in use: 0 for JPY, 2 for EUR, 3 for KWD."""
    return {
        code: int(decimals)
        for code, row in iso4217.raw_table.items()
        if code and isinstance(decimals := row["CcyMnrUnts"], str) and decimals.isdigit()
    }


def to_minor(amount: float | str, exponent: int) -> int | None:
    """Return the amount in minor units, rounded half up; None where it is no amount.

    No amount: text that is no decimal number, what is not finite, or beyond ``MAX_MINOR``.
    """
    if type(amount) is str and len(amount) > _LONGEST:
        return None
    return _to_minor(amount, exponent)


@lru_cache(maxsize=20_000)
def _to_minor(amount: float | str, exponent: int) -> int | None:
    if type(amount) is float:
        scaled = round(amount * 10**exponent) if abs(amount) < _SURE_FLOAT else 0
        if scaled / 10**exponent == amount:  # as sent, it has no more decimals
            return scaled
    elif type(amount) is int:
        return amount * 10**exponent if abs(amount) <= MAX_MINOR else None
    return _decimal(str(amount), exponent)


def _decimal(text: str, exponent: int) -> int | None:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not number.is_finite() or (number and number.adjusted() + exponent > 15):  # noqa: PLR2004
        return None
    if number.adjusted() + exponent < -1 or not number:
        return 0
    return int(number.scaleb(exponent).quantize(Decimal(1), ROUND_HALF_UP))


def to_text(minor: int, currency: str) -> str:
    """Return minor units as a decimal text in major units, such as ``35.79``."""
    exponent = exponents().get(currency, 2)
    return str(Decimal(minor).scaleb(-exponent)) if exponent else str(minor)
