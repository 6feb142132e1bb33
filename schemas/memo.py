"""Answers kept by what they depend on: not for endless texts, and not endlessly many.

A memo is a plain dict, asked with ``get``. Who misses there asks ``recall``: when the dict is full
it becomes the generation before, in place of the one that was, and what is asked for moves on. So
a shop with more pages than a dict holds keeps those that are seen often.
"""

from typing import Any

ENTRIES = 5_000
"""Answers of one generation; there are two."""
LENGTH = 500
"""ASCII characters of a text beyond which its answer is worked out each time. A public key can fill
a source's seven memos of texts with such: 2 generations x 5,000 x 7 x about 1 KB, for text and
answer, are 70 MB.
"""
OTHERS = 125
"""The same of a text that is not ASCII: one emoji makes every character of it take four bytes."""

_BEFORE = object()
"""Under this key a memo has the generation before. (A dict of a class of its own is slower.)"""


def recall(known: dict[Any, Any], key: Any) -> Any:
    """Return the answer of the generation before, which then is of this one too, or None."""
    found = known.get(_BEFORE, {}).get(key)
    if found is not None:
        _add(known, key, found)
    return found


def keep(known: dict[Any, Any], key: Any, value: Any, text: str = "") -> None:
    """Keep an answer; ``text`` is what the key is made of, where it is not one itself."""
    text = text or key
    if len(text) <= (LENGTH if text.isascii() else OTHERS):
        _add(known, key, value)


def _add(known: dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) > ENTRIES:
        known.pop(_BEFORE, None)
        before = dict(known)
        known.clear()
        known[_BEFORE] = before
    known[key] = value
