"""Which dead letters name a person: a refused item has only its original bytes to tell by."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from services.common.ports import Storage
from services.loader.text import text


def letters_naming(storage: Storage, source: str, ids: Sequence[str]) -> list[str]:
    """Return the ids of a source's letters (and of those without a source) that hold such an id."""
    needles = sorted({form for one in ids for form in (one, json.dumps(one)[1:-1])})
    found = storage.stream(text("letters_with"), {"source": source, "needles": needles})
    rows = (msgspec.json.decode(line, type=dict[str, Any]) for line in found)
    return [row["id"] for row in rows if names(_original(row), set(ids))]


def _original(row: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(row["original"]) if row["base64"] else row["original"].encode()
    except binascii.Error:
        return b""


def names(original: bytes, ids: set[str]) -> bool:
    """Tell whether one of the ids is a value in the item, or a word of it where it is no JSON.

    Erasing v7 leaves what was refused of v77, or of a page called v7.html.
    """
    try:
        return any(str(value) in ids for value in _values(msgspec.json.decode(original)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        words = original.decode("utf-8", "replace")
        return any(re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", words) for one in ids)


def _values(item: object) -> Iterator[object]:
    if isinstance(item, dict):
        for value in item.values():
            yield from _values(value)
    elif isinstance(item, list):
        for value in item:
            yield from _values(value)
    else:
        yield item
