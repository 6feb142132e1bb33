"""The feed of signals as one client follows it: a bounded queue, and an end that can be told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from schemas.rows import SignalRow
from services.common.ports import SignalFeed

ROW = msgspec.json.Decoder(SignalRow)


class Follower:
    """What one client has still to be sent. ``overflow`` once it read too slowly."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._queue: asyncio.Queue[SignalRow | None] = asyncio.Queue()
        self.first: int | None = None
        self.overflow = False
        self.ended = False
        self.stirred = asyncio.Event()
        """Set once the feed has given something, or has ended."""

    async def pump(self, feed: AsyncIterator[bytes]) -> None:
        """Take from the feed until it ends or the client is too far behind."""
        try:
            async for line in feed:
                row = ROW.decode(line)
                if self._queue.qsize() >= self._size:
                    self.overflow = True
                    return
                self.first = self.first or row.version
                self._queue.put_nowait(row)
                self.stirred.set()
        finally:
            self.end()

    def end(self) -> None:
        """Let the client's stream end."""
        self.ended = True
        self._queue.put_nowait(None)
        self.stirred.set()

    async def next(self, timeout_s: float | None) -> SignalRow | None:
        """Return the next signal, None at the end; ``TimeoutError`` after so long without one."""
        async with asyncio.timeout(timeout_s):
            return await self._queue.get()


class Silence:
    """A feed that gives nothing, where streams come from a log."""

    def subscribe(self) -> AsyncIterator[bytes]:
        """End at once."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration


class Followers:
    """Everyone who follows the feed now."""

    def __init__(self, feed: SignalFeed, size: int) -> None:
        self._feed = feed
        self._size = size
        self._all: set[Follower] = set()

    def __len__(self) -> int:
        return len(self._all)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Follower]:
        """Follow the feed from before the block's first statement to its end."""
        follower = Follower(self._size)
        pumping = asyncio.create_task(follower.pump(self._feed.subscribe()))
        # A feed written as a generator begins when it is first asked; let it.
        await asyncio.sleep(0)
        self._all.add(follower)
        try:
            yield follower
        finally:
            self._all.discard(follower)
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)

    def close(self) -> None:
        """End every stream, so that the service can stop; clients come back and resume."""
        for follower in list(self._all):
            follower.end()
