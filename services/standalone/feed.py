"""``SignalFeed``: from the sessionizer's thread to every client that follows, without waiting."""

import asyncio
from collections.abc import AsyncIterator, Sequence

QUEUE_SIGNALS = 10_000
"""What is kept for a reader that falls behind, before it is cut off."""


class Feed:
    """Hands each stored signal to all who subscribed before. ``close`` ends every stream."""

    def __init__(self, size: int = QUEUE_SIGNALS) -> None:
        """Make a feed nobody follows yet."""
        self._size = size
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Yield each signal row's JSON line from now on; ends for a slow reader and at the stop."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(self._size + 1)
        if self._closed:
            return
        self._loop = asyncio.get_running_loop()
        self._queues.add(queue)
        try:
            while (line := await queue.get()) is not None:
                yield line
        finally:
            self._queues.discard(queue)

    def publish(self, lines: Sequence[bytes]) -> None:
        """Hand signals over, from any thread."""
        loop = self._loop
        if lines and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._spread, list(lines))

    def close(self) -> None:
        """End every stream, from any thread, so that the server can stop."""
        self._closed = True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._end_all)

    def _spread(self, lines: list[bytes]) -> None:
        for queue in list(self._queues):
            if queue.qsize() + len(lines) > self._size:
                self._cut(queue)
                continue
            for line in lines:
                queue.put_nowait(line)

    def _end_all(self) -> None:
        for queue in list(self._queues):
            self._cut(queue)

    def _cut(self, queue: asyncio.Queue[bytes | None]) -> None:
        """End one stream after what it has; the place above its size is kept for this."""
        self._queues.discard(queue)
        queue.put_nowait(None)
