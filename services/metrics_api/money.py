"""Money in answers: decimal strings of major units; inside it is integer minor units."""

from collections.abc import Iterable
from typing import Any

from schemas.money import to_text


def with_money(row: dict[str, Any], fields: Iterable[str], currency: str) -> dict[str, Any]:
    """Return the row with the money fields it has as decimal strings; null stays null."""
    shown = {
        field: None if row[field] is None else to_text(int(row[field]), currency)
        for field in fields
        if field in row
    }
    return row | shown


def with_prices(lines: Iterable[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    """Return product lines with their unit prices as decimal strings."""
    return [with_money(line, ("price",), currency) for line in lines]
