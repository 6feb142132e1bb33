"""Answers that are kept: how many, and which."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.context import Context
from schemas.memo import ENTRIES, LENGTH, OTHERS, keep, recall
from schemas.normalise import prepare
from schemas.outgoing import Outgoing

Make = Callable[..., Context]
TENTH = 2 * ENTRIES // 10
"""Of what a memo holds."""


def fill(ctx: Context, number: int) -> None:
    """Have all memos keep answers to texts that are as long as they may be."""
    url = f"https://a.example/{number:06}".ljust(LENGTH - 10, "x")
    event = {"event_id": "e", "visitor_id": "v", "ts_ms": ctx.received_ms}
    for fields in (
        {"type": "page_view", "url": url, "title": url},
        {"type": "page_view", "referrer": url},
    ):
        found = prepare(json.dumps(event | fields).encode(), replace(ctx, ua=url))
        assert isinstance(found, Outgoing)


def asked(known: dict[Any, Any], key: str) -> bool:
    """Ask as the steps do; tell whether the answer was there."""
    if known.get(key) or recall(known, key):
        return True
    keep(known, key, "answer")
    return False


def test_what_is_asked_for_often_stays_however_many_others_come() -> None:
    known: dict[Any, Any] = {}
    asked(known, "home")
    for number in range(5 * ENTRIES):
        asked(known, f"page {number}")
        if number % 1_000 == 0:
            assert asked(known, "home")


def test_as_many_as_a_generation_holds_are_never_asked_twice() -> None:
    known: dict[Any, Any] = {}
    keys = [f"page {number}" for number in range(ENTRIES)]
    for number in range(ENTRIES - 1):
        asked(known, f"former page {number}")
    for key in keys:
        asked(known, key)
    for _ in range(3):
        assert [key for key in keys if not asked(known, key)] == []


def test_two_generations_are_kept_and_no_more() -> None:
    known: dict[Any, Any] = {}
    for number in range(2 * ENTRIES + 2):
        asked(known, f"page {number}")
    assert len(known) == 2, "the generation before, and one more"
    assert recall(known, "page 0") is None
    assert recall(known, f"page {ENTRIES + 1}") == "answer"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x" * LENGTH, True),
        ("x" * (LENGTH + 1), False),
        ("\N{SHOPPING TROLLEY}" * OTHERS, True),
        ("x" * OTHERS + "\N{SHOPPING TROLLEY}", False),
    ],
)
def test_answers_to_long_texts_are_not_kept(text: str, *, kept: bool) -> None:
    known: dict[Any, Any] = {}
    keep(known, text, "answer")
    keep(known, ("a", 1), "answer", text)
    assert len(known) == 2 * kept


def test_texts_as_long_as_are_kept_take_as_much_memory_as_is_said(make: Make) -> None:
    ctx = make(key="browser")
    fill(ctx, 0)  # what is made once
    tracemalloc.start()
    for number in range(1, TENTH + 1):
        fill(ctx, number)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for name in ("page", "agent", "text", "landing", "kind", "referrer"):
        assert len(ctx.site.memo[name]) > TENTH, name
    assert used < 60_000_000 / 10


def test_a_page_that_was_put_back_is_taken_the_short_way_again(make: Make) -> None:
    ctx = make()
    item = b'{"type":"page_view","event_id":"e","visitor_id":"v","ts_ms":%d,"url":"https://a.example/"}'
    item %= ctx.received_ms
    first = prepare(item, ctx)
    for number in range(ENTRIES + 1):
        keep(ctx.pages, (f"https://a.example/{number}", None), ({}, b""), "a page")
    assert ("https://a.example/", None) not in ctx.pages
    assert prepare(item, ctx) == first
    assert ("https://a.example/", None) in ctx.pages
