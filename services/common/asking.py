"""Work that asks storage and waits for nothing: a generator yields questions and is sent rows.

Whoever runs it decides how to wait: in a thread for the embedded engine, on the event loop for a
server. So the code that decides a number is the same for both.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from services.common.ports import Storage

T = TypeVar("T")

Rows = list[dict[str, Any]]
Question = tuple[str, dict[str, Any]]
"""A statement and its bound parameters."""

Asking = Generator[Question, Rows, T]


def proceed(work: Asking[T], found: Rows | None) -> tuple[Question, None] | tuple[None, T]:
    """Go on with what was found, None at first; return the next question, or what came of it."""
    try:
        return (next(work) if found is None else work.send(found)), None
    except StopIteration as done:
        return None, done.value


def answered(storage: Storage, work: Asking[T]) -> T:
    """Do the work, each question asked at once. Blocking."""
    found: Rows | None = None
    while True:
        match proceed(work, found):
            case None, value:
                return value
            case question, _:
                found = storage.query(*question)
