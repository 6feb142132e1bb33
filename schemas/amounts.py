"""Steps for money: the currency, an event's amounts, its product lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.money import exponents, to_minor
from schemas.refusal import Refusal, shown
from schemas.urls import take_apart

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

AMOUNT_FIELDS = ("value", "shipping", "tax", "discount")
_DEFAULT_EXPONENT = 2


def currency(draft: Draft, ctx: Context) -> Refusal | None:
    """Settle the currency of an event that has amounts: its own, or the source's."""
    told = draft.get("currency")
    if told is None:
        draft["currency"] = ctx.site.currency
        return None
    code = draft["currency"] = told.strip().upper() or ctx.site.currency
    if code in exponents():
        return None
    message = f"currency {shown(told)} is no ISO 4217 code in use"
    return Refusal("invalid_currency", "currency", message, draft["event_id"])


def amounts(draft: Draft, _ctx: Context) -> Refusal | None:
    """Turn the event's own amounts into minor units."""
    exponent = exponents().get(draft["currency"], _DEFAULT_EXPONENT)
    for name in AMOUNT_FIELDS:
        if name in draft:
            minor = to_minor(draft[name], exponent)
            if minor is None or minor < 0:
                return _no_amount(draft, name, draft[name])
            draft[name] = minor
    return None


def products(draft: Draft, _ctx: Context) -> Refusal | None:
    """Turn prices into minor units, see that each line says of what, and mask its URLs."""
    exponent = exponents().get(draft["currency"], _DEFAULT_EXPONENT)
    for index, line in enumerate(draft["products"]):
        if not line.get("product_id"):
            field = f"products[{index}].product_id"
            message = f"{field} is missing: a line says which product it is"
            return Refusal("missing_field", field, message, draft["event_id"])
        if "price" in line:
            minor = to_minor(line["price"], exponent)
            if minor is None or minor < 0:
                return _no_amount(draft, f"products[{index}].price", line["price"])
            line["price"] = minor
        for name in ("url", "image_url"):
            if name in line:
                line[name] = take_apart(line[name]).url
    return None


def _no_amount(draft: Draft, field: str, value: Any) -> Refusal:
    message = f"{field} {shown(value)} is no amount: a decimal number or text in major units, not"
    return Refusal("invalid_field", field, f"{message} negative", draft["event_id"])
