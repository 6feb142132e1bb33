"""A decompressed request body, split into the bytes of its items.

A body is one JSON object, a JSON array of objects, or newline-delimited JSON; a UTF-8 byte order
mark is tolerated. What one item holds is not judged here: a broken one must not cost the others.
"""

import re

import msgspec

from schemas.refusal import BodyRefusal

MAX_BODY_BYTES = 500 * 1024
MAX_ITEMS = 2_500
MAX_ITEM_BYTES = 32 * 1024
"""Segment's limits, after decompression; an item over its own is refused alone."""

_BOM = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ONE = msgspec.json.Decoder(msgspec.Raw)
# A string with its escapes, or one structural byte: all that decides where an item ends.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


def split(
    body: bytes, *, max_bytes: int = MAX_BODY_BYTES, max_items: int = MAX_ITEMS
) -> list[bytes] | BodyRefusal:
    """Return the items of a body in order, each as it was sent, or why the body is not taken.

    Blank lines are no items. An item may still be anything at all: ``normalise`` judges it.
    """
    if len(body) > max_bytes:
        return BodyRefusal("too_large", f"body has {len(body)} bytes, {max_bytes} are allowed")
    items = _items(body.removeprefix(_BOM))
    if isinstance(items, list) and len(items) > max_items:
        return BodyRefusal("too_large", f"body has {len(items)} events, {max_items} are allowed")
    return items


def _items(body: bytes) -> list[bytes] | BodyRefusal:
    first = body[:64].lstrip(_WHITE)[:1] or body.lstrip(_WHITE)[:1]
    if first == b"[":
        return _array(body)
    if not first:
        return BodyRefusal("invalid_body", "body is empty")
    if first != b"{":
        return BodyRefusal(
            "invalid_body", "body is no JSON object, array or newline-delimited JSON"
        )
    return _lines(body)


def _array(body: bytes) -> list[bytes] | BodyRefusal:
    try:
        return [bytes(raw) for raw in _ARRAY.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _tolerant_array(body)


def _lines(body: bytes) -> list[bytes]:
    """One object over several lines, or one item a line: the first line tells."""
    if b"\n" not in body:
        return [body]
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    if len(lines) > 1 and not _complete(lines[0]) and _complete(body):
        return [body]
    return lines


def _complete(text: bytes) -> bool:
    try:
        _ONE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _tolerant_array(body: bytes) -> list[bytes] | BodyRefusal:
    """Split an array of which some element is broken, by its brackets and strings alone."""
    start = body.index(b"[") + 1
    items: list[bytes] = []
    depth = 1
    for token in _TOKEN.finditer(body, start):
        mark = token.group()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            items.append(body[start : token.start()].strip(_WHITE))
            start = token.end()
        if depth == 0:
            return _ended(body, start, items)
    return BodyRefusal("invalid_body", f"JSON array is truncated after {len(items)} items")


def _ended(body: bytes, end: int, items: list[bytes]) -> list[bytes] | BodyRefusal:
    if body[end:].strip(_WHITE):
        return BodyRefusal("invalid_body", f"JSON array is followed by other text at byte {end}")
    return items
