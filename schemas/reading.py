"""From the bytes of one item to a draft: typed, without doubles, or refused by field and value.

Two ways lead to the same result. The quick one decodes straight into the typed form and proves by
counting quotation marks that nothing was doubled or dropped: in JSON every key and every text has
two, so the count of the bytes equals that of what was decoded only if each key stood there once and
is known. Whatever it cannot prove takes the exact way, which finds the very field.
"""

from typing import Any

import msgspec

from schemas import exact
from schemas.body import MAX_ITEM_BYTES
from schemas.refusal import Refusal
from schemas.wire import Draft, Wire

_QUICK = msgspec.json.Decoder(Wire).decode
_MARK = 34  # the quotation mark
_BACKSLASH = 92
_NESTED_ENOUGH = 24


def read(item: bytes) -> Draft | Refusal:
    """Return the item's fields as sent, typed by ``Wire``, or why it cannot be read.

    Fields that ``Wire`` does not know are in ``properties``; null means absent.
    """
    if len(item) > MAX_ITEM_BYTES:
        return Refusal(
            "too_large", "", f"event has {len(item)} bytes, {MAX_ITEM_BYTES} are allowed"
        )
    try:
        draft: Draft = _QUICK(item)  # type: ignore[assignment]  # a TypedDict is a dict
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return exact.read(item)
    return draft if _proved(item, draft) else exact.read(item)


def _proved(item: bytes, draft: Draft) -> bool:
    """Tell whether the draft is all of the item, and the item within every limit of form."""
    if item.find(_BACKSLASH) >= 0:
        return False
    if "properties" in draft and item.count(b"{") + item.count(b"[") > _NESTED_ENOUGH:
        return False
    marks = 2 * len(draft)
    for value in draft.values():
        marks += 2 if type(value) is str else _marks(value)
    return marks == item.count(_MARK)


def _marks(value: Any) -> int:
    """Return how many quotation marks a value without escapes takes in JSON."""
    kind = type(value)
    if kind is str:
        return 2
    if kind is list:
        return sum(map(_marks, value))
    if kind is dict:
        return 2 * len(value) + sum(map(_marks, value.values()))
    return 0
