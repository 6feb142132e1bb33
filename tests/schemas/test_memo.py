"""Answers that are kept: how many, and which."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.context import Context
from schemas.memo import ENTRIES, LENGTH, keep, recall
from schemas.normalise import prepare

Make = Callable[..., Context]


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


@pytest.mark.parametrize(("length", "kept"), [(LENGTH, True), (LENGTH + 1, False)])
def test_answers_to_long_texts_are_not_kept(length: int, *, kept: bool) -> None:
    known: dict[Any, Any] = {}
    keep(known, "x" * length, "answer")
    keep(known, ("a", 1), "answer", "x" * length)
    assert len(known) == 2 * kept


def test_a_page_that_was_put_back_is_taken_the_short_way_again(make: Make) -> None:
    ctx = make()
    item = b'{"type":"page_view","event_id":"e","visitor_id":"v","ts_ms":%d,"url":"https://a.example/"}'
    item %= ctx.received_ms
    first = prepare(item, ctx)
    for number in range(ENTRIES + 1):
        keep(ctx.pages, (f"https://a.example/{number}", None), ({}, b""))
    assert ("https://a.example/", None) not in ctx.pages
    assert prepare(item, ctx) == first
    assert ("https://a.example/", None) in ctx.pages
