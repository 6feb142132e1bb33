"""Those who wait for one commit of the log, from the event loop or from a thread."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from msgspec import Struct

from schemas.rows import DeadLetter
from services.common.errors import WaymarkError

Answer = int | WaymarkError
"""The append time, or why nothing was written."""


class Waiting(Struct, frozen=True):
    """Lines and letters of one caller; exactly one of ``task`` and ``thread`` waits for them."""

    body: bytes
    letters: Sequence[DeadLetter] = ()
    task: asyncio.Future[int] | None = None
    thread: Future[int] | None = None

    def size(self) -> int:
        """Return about how many bytes it holds in memory."""
        size = len(self.body)
        return size + sum(len(letter.original) for letter in self.letters) if self.letters else size


def bodies(group: Iterable[Waiting], limit: int) -> list[bytes]:
    """Pack lines into records of about ``limit`` bytes; one caller's lines share a record."""
    packed: list[bytes] = []
    parts: list[bytes] = []
    size = 0
    for waiting in group:
        if not waiting.body:
            continue
        if size and size + len(waiting.body) > limit:
            packed.append(b"\n".join(parts))
            parts, size = [], 0
        parts.append(waiting.body)
        size += len(waiting.body)
    if parts:
        packed.append(b"\n".join(parts))
    return packed


def answer(group: Iterable[Waiting], result: Answer) -> None:
    """Wake all who wait; each event loop is woken once, however many of its tasks wait."""
    tasks: dict[asyncio.AbstractEventLoop, list[asyncio.Future[int]]] = {}
    for waiting in group:
        if waiting.task is not None:
            tasks.setdefault(waiting.task.get_loop(), []).append(waiting.task)
        elif waiting.thread is not None:
            _settle(waiting.thread, result)
    for loop, futures in tasks.items():
        if not loop.is_closed():  # one that has ended has nobody left who could be told
            loop.call_soon_threadsafe(_settle_all, futures, result)


def _settle_all(futures: list[asyncio.Future[int]], result: Answer) -> None:
    for future in futures:
        _settle(future, result)


def _settle(future: asyncio.Future[int] | Future[int], result: Answer) -> None:
    if future.done():  # its client went away while the disk worked
        return
    if isinstance(result, WaymarkError):
        future.set_exception(result)
    else:
        future.set_result(result)
