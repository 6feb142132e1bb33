"""What the reading side is handed, in memory: live view, feed of signals, erasure, health."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from services.common.errors import MovingError
from services.common.ports import Hop

T = TypeVar("T")


class MemoryLive:
    """``LiveView`` of what a test puts in; ``moving`` plays a partition without an owner."""

    def __init__(self, clock_ms: int) -> None:
        self.clock = clock_ms
        self.visitors: dict[tuple[str, str], dict[str, Any]] = {}
        self.carts_now: dict[str, dict[str, Any]] = {}
        self.by_stage: dict[str, int] = {}
        self.carts = 0
        self.unsettled: list[dict[str, Any]] = []
        self.moving = False

    def _check(self) -> None:
        if self.moving:
            raise MovingError("the partition has no owner right now")

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        self._check()
        return self.visitors.get((source, visitor_id))

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        self._check()
        row = self.carts_now.get(cart_id)
        return row if row and (row["source"], row["visitor_id"]) == (source, visitor_id) else None

    async def live_visitors(self, source: str) -> dict[str, int]:
        self._check()
        return self.by_stage

    async def open_carts(self, source: str) -> int:
        self._check()
        return self.carts

    async def clock_ms(self) -> int:
        self._check()
        return self.clock

    async def signals(self, source: str) -> list[dict[str, Any]]:
        return [row for row in self.unsettled if row["source"] == source]


class MemoryFeed:
    """``SignalFeed``: what is told reaches all who follow."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes | None]] = set()

    def __len__(self) -> int:
        return len(self._queues)

    async def subscribe(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            while (line := await queue.get()) is not None:
                yield line
        finally:
            self._queues.discard(queue)

    def tell(self, line: bytes | None) -> None:
        """Tell everyone a signal's row; None ends their feeds."""
        for queue in self._queues:
            queue.put_nowait(line)


class MemoryForget:
    """``Forget`` that remembers who was to be erased."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def forget(
        self, source: str, *, visitor_id: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        self.asked.append((source, visitor_id, user_id))
        return {"events": 1}


class MemoryHealth:
    """``PipelineHealth`` as a test sets it."""

    def __init__(self) -> None:
        self.steps = [Hop("log", 0, 0), Hop("storage", 3, 1_200, "rows")]
        self.waits: int | None = 0
        self.error: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def hops(self) -> list[Hop]:
        await self.answers.wait()
        return self._or_raise(self.steps)

    async def waits_ms(self) -> int | None:
        return self._or_raise(self.waits)

    def _or_raise(self, told: T) -> T:
        if self.error is not None:
            raise self.error
        return told
