"""From the bytes of one item to a draft: typed, without doubles, or refused by field and value.

There are three ways, and they lead to the same result. The quick one decodes straight into the
typed form and proves by counting quotation marks that nothing was doubled or dropped: in JSON every
key and every text has two, so the count of the bytes equals that of what was decoded only if each
key stood there once and is known. What has unknown fields or nulls takes the loose way, with the
same proof. Whatever neither can prove takes the exact way, which finds the very field.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from schemas import exact
from schemas.body import MAX_ITEM_BYTES
from schemas.identity import ID_FIELDS, LONGEST_NO_ID, SUSPECT, ZERO_ID
from schemas.refusal import Refusal
from schemas.sent_id import read_id
from schemas.wire import NUMBER_FIELDS, VARIED_FIELDS, Draft, Wire

_QUICK = msgspec.json.Decoder(Wire)
decode: Callable[[bytes], Draft] = _QUICK.decode  # type: ignore[assignment]  # TypedDict is a dict
"""The quick way's first half: the typed fields of an item. Raises what ``UNREADABLE`` lists."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_ENCODE = msgspec.json.Encoder().encode
_LOOSE = msgspec.json.Decoder(dict[str, Any]).decode
_MARK = 34  # the quotation mark
_BACKSLASH = b"\\"
_NESTED_ENOUGH = 24
_CONTROLS = re.compile(rb"\\(?:u00[01]|[bfnrt])").search


class Form(Struct, frozen=True, gc=False):
    """What is known of every item that has the same fields in the same order.

    ``marks``: the quotation marks of its keys and plain texts; ``varied``: the fields whose own
    have to be counted; ``ids``: those that must be ids; ``deep``: whether it may nest deeply.
    """

    marks: int
    varied: tuple[str, ...]
    ids: tuple[str, ...]
    deep: bool


def form_of(fields: tuple[str, ...]) -> Form:
    """Return the form of the items that have these fields."""
    varied = tuple(name for name in fields if name in VARIED_FIELDS)
    numbers = sum(name in NUMBER_FIELDS for name in fields)
    return Form(
        marks=4 * len(fields) - 2 * (len(varied) + numbers),
        varied=varied,
        ids=tuple(name for name in ID_FIELDS if name in fields),
        deep="properties" in fields,
    )


def is_whole(item: bytes, draft: Draft, form: Form) -> bool:
    """Tell whether the draft is all of the item, and the item within every limit of form."""
    marks = form.marks
    for name in form.varied:
        marks += _marks(draft[name])
    if _BACKSLASH not in item:
        if marks != item.count(_MARK):
            return False
    elif marks != _marks_in(item) or _CONTROLS(item):
        return False
    for name in form.ids:
        value = draft[name]
        if value.strip() != value or value == ZERO_ID:
            return False
        if len(value) <= LONGEST_NO_ID and value.lower() in SUSPECT:
            return False
    return len(item) <= MAX_ITEM_BYTES and not (form.deep and _is_deep(item))


def read_otherwise(item: bytes) -> Draft | Refusal:
    """Return the item's fields as sent, typed by ``Wire``, or why it cannot be read.

    Fields that ``Wire`` does not know are in ``properties``; null means absent, and so does a text
    that is no id where an id is meant.
    """
    if len(item) > MAX_ITEM_BYTES:
        told = f"event has {len(item)} bytes, {MAX_ITEM_BYTES} are allowed"
        return Refusal("too_large", "", told, read_id(item))
    try:
        found = _LOOSE(item)
    except UNREADABLE:
        return exact.read(item)
    if _is_deep(item) or _CONTROLS(item) or _marks(found) != _marks_in(item):
        return exact.read(item)
    return exact.arranged(found)


def _is_deep(item: bytes) -> bool:
    return item.count(b"{") + item.count(b"[") > _NESTED_ENOUGH


def _marks_in(item: bytes) -> int:
    """Return how many quotation marks of an item are not escaped."""
    return item.count(_MARK) - item.replace(rb"\\", b"").count(rb"\"")


def _marks(value: Any) -> int:
    """Return how many quotation marks a value's keys and texts have around them."""
    kind = type(value)
    if kind is str:
        return 2
    if kind is not dict and kind is not list:
        return 0
    text = _ENCODE(value)  # counting in bytes is faster than walking through it
    return text.count(_MARK) if _BACKSLASH not in text else _marks_in(text)
