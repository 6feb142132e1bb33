"""The stream of one client where signals come from a topic of many partitions.

Versions grow along a partition only, and partitions may be minutes apart; so a client's place is
its offset in each. It resumes where it stood in every one of them: nothing lost, nothing twice.

A client that comes with an id of another kind (from the time before the topic: version and signal)
is served what storage has from there on, then the topic from that time on: nothing lost, and what
is in both comes twice, with the same id and version.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from services.common.ports import SignalLog, Told
from services.metrics_api.follow import ROW
from services.metrics_api.parts import Parts
from services.metrics_api.stream import (
    BATCH,
    CLOCK_BITS,
    RETRY_MS,
    Place,
    Question,
    Stream,
    told,
)


class TopicStream(Stream):
    """Signals of a topic for one client; ``after`` as its last event's id told it."""

    def __init__(
        self, parts: Parts, log: SignalLog, question: Question, after: str | Place | None
    ) -> None:
        old = after if isinstance(after, Place) else None
        super().__init__(parts, question, old)
        self._log = log
        self._from = after if isinstance(after, str) else ""

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the stream's bytes until it is cut off or the service stops.

        The log is asked first, so that a place it cannot go on from is an answer, not a broken
        stream.
        """
        since_ms = self._after.version >> CLOCK_BITS if self._resumes else None
        log = self._log.follow(self._from, since_ms)
        try:
            begin = await anext(log)
            yield f"retry: {RETRY_MS}\n\n".encode()
            if self._resumes:
                async for data in self._stored_before():
                    yield data
            if self._held.full:
                self.count_cut()
                return
            # An id without data shows nothing, yet lets a client resume that never got a signal:
            # not before it has got what waits, which the topic may not have.
            self._held.pass_place(begin.place)
            async with aclosing(self._told(log)) as telling:
                async for data in telling:
                    yield data
        finally:
            await log.aclose()

    async def _stored_before(self) -> AsyncIterator[bytes]:
        while not self._held.full:
            rows = await self._read()
            for data in self.tell(rows):
                yield data
            if len(rows) < BATCH:
                return

    async def _told(self, log: AsyncGenerator[Told]) -> AsyncGenerator[bytes]:
        """Yield what the log tells, and, where asked for, what is unsettled in between."""
        looks, held = self.looks(), self._held
        coming = asyncio.ensure_future(anext(log, None))
        try:
            while not held.full:
                if looks.due():
                    for data in await self._unsettled():
                        yield data
                for data in told(held):
                    yield data
                done, _ = await asyncio.wait({coming}, timeout=held.wait(looks.wait()))
                if not done:
                    continue
                one = coming.result()
                if one is None:
                    return
                row = ROW.decode(one.line)
                if self._question.wants(row):
                    held.put(row, one.place)
                coming = asyncio.ensure_future(anext(log, None))
            self.count_cut()
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
