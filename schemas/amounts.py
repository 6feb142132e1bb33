"""Steps for money: the currency, an event's amounts, its product lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas import place
from schemas.money import exponents, to_minor
from schemas.refusal import Refusal, shown

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

AMOUNT_FIELDS = ("value", "shipping", "tax", "discount")
_DEFAULT_EXPONENT = 2


def currency(draft: Draft, ctx: Context) -> Refusal | None:
    """Settle the currency of an event that has amounts: its own, or the source's."""
    told = draft.get("currency")
    if told in exponents():
        return None
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


def products(draft: Draft, ctx: Context) -> Refusal | None:
    """Turn prices into minor units, and mask what lines hold of URLs."""
    exponent = exponents().get(draft["currency"], _DEFAULT_EXPONENT)
    for index, line in enumerate(draft["products"]):
        if "price" in line:
            minor = to_minor(line["price"], exponent)
            if minor is None or minor < 0:
                return _no_amount(draft, f"products[{index}].price", line["price"])
            line["price"] = minor
        if "url" in line or "image_url" in line:
            _mask_urls(line, ctx)
    return None


def _mask_urls(line: Draft, ctx: Context) -> None:
    for name in ("url", "image_url"):
        if name in line:
            line[name] = place.stored_url(ctx.site, line[name])


def _no_amount(draft: Draft, field: str, value: Any) -> Refusal:
    message = f"{field} {shown(value)} is no amount: a decimal number or text in major units, not"
    return Refusal("invalid_field", field, f"{message} negative", draft["event_id"])
