"""Answers kept by what they depend on: not for endless texts, and not endlessly many."""

from typing import Any

ENTRIES = 10_000
LENGTH = 2_000
"""Characters of a text beyond which its answer is not kept."""


def keep(known: dict[Any, Any], key: Any, value: Any, text: str = "") -> None:
    """Keep an answer; ``text`` is what the key is made of, where it is not one itself."""
    if len(text or key) > LENGTH:
        return
    if len(known) >= ENTRIES:
        known.clear()
    known[key] = value
