"""Signals as they are made, for one client, resumed with nothing lost or doubled.

A signal's stream id is its row's version, which grows along the log, and its id: a rebuild states
many signals under one version. A client that resumes is
served from storage until storage holds what the feed first said, then from the feed:

1. The feed is followed first, into a bounded queue.
2. Storage is read from the client's id on, again and again, until it has reached the version of the
   first signal the feed gave: rows reach storage in the order of their versions, so that by then
   nothing older can still be missing.
3. From then on the feed alone is served; what storage gave already is passed over by its version.

A client that reads too slowly is cut off, and loses nothing either: it resumes with its last id.
While the log is behind, an abandonment waits, and what comes after it (``holding``).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any
from uuid import UUID

import msgspec
from fastapi.responses import StreamingResponse
from msgspec import Struct
from starlette.types import Message, Send

from schemas.rows import SignalRow
from services.common.errors import MovingError
from services.metrics_api.follow import Follower
from services.metrics_api.holding import Held
from services.metrics_api.parts import Parts
from services.metrics_api.shapes import Signal, shape

BATCH = 500
RETRY_MS = 2_000
CLOCK_BITS = 20
"""A version is the log's clock shifted by this, or one more than the last (DESIGN, *Storage*)."""
CATCH_UP_S = 0.05
ALIVE = b": alive\n\n"


class Place(Struct, frozen=True):
    """Where a client stands: behind a row; without ``signal_id`` behind all of the version."""

    version: int
    signal_id: str = ""

    def __str__(self) -> str:
        return f"{self.version}.{self.signal_id}" if self.signal_id else str(self.version)


def place_of(text: str) -> Place | None:
    """Return the place a stream's id names, None where no stream has given it."""
    version, _, signal_id = text.partition(".")
    if not version.isdecimal() or int(version) >= 1 << 63:
        return None
    try:
        return Place(int(version), str(UUID(signal_id)) if signal_id else "")
    except ValueError:
        return None


class Question(Struct, frozen=True):
    """What a client follows: a source, and what it wants of it; what is empty wants everything."""

    source: str
    kinds: frozenset[str] = frozenset()
    visitor_id: str = ""
    cart_id: str = ""
    include_bots: bool = False
    live: bool = False

    def wants(self, row: SignalRow) -> bool:
        """Tell whether a signal is asked for."""
        return (
            row.source == self.source
            and (not self.kinds or row.kind in self.kinds)
            and self.visitor_id in ("", row.visitor_id)
            and self.cart_id in ("", row.cart_id)
            and (self.include_bots or not (row.bot or row.excluded))
        )


class Stream:
    """The stream of one client: what it is sent, and from where it goes on.

    ``after`` is the client's last id, None for one that begins now.
    """

    def __init__(self, parts: Parts, question: Question, after: Place | None) -> None:
        self._parts = parts
        self._question = question
        self._resumes = after is not None
        self._after = after or Place(0)
        self._held = Held(parts.gate, parts.settings.stream_queue)
        self._shown: set[str] = set()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the stream's bytes until it is cut off or the service stops."""
        async with self._parts.followers.one() as follower:
            if not self._resumes:
                self._after = Place(await self._parts.live.clock_ms() << CLOCK_BITS)
            # An id without data shows nothing, yet lets a client resume that never got a signal.
            yield f"retry: {RETRY_MS}\nid: {self._after}\n\n".encode()
            if self._resumes:
                async for data in self._stored(follower):
                    yield data
            async for data in self._followed(follower):
                yield data
            if follower.overflow or self._held.full:
                self.count_cut()

    def count_cut(self) -> None:
        """Count a client that read too slowly."""
        self._parts.metrics.count("waymark_stream_cut_total")

    async def _stored(self, follower: Follower) -> AsyncIterator[bytes]:
        while not follower.ended and not self._held.full:
            reached = await self._reached()
            rows = await self._read()
            for data in self.tell(rows):
                yield data
            if len(rows) == BATCH:
                continue
            if follower.first is not None and reached >= follower.first:
                self._after = Place(max(self._after.version, reached))
                return
            await self._pause(follower)

    async def _pause(self, follower: Follower) -> None:
        if follower.first is not None:
            await asyncio.sleep(CATCH_UP_S)
            return
        try:
            async with asyncio.timeout(self._parts.settings.stream_poll_s):
                await follower.stirred.wait()
        except TimeoutError:
            return

    def tell(self, rows: list[SignalRow]) -> list[bytes]:
        """Go on past rows of storage; return what of them may be told now."""
        for row in rows:
            self._after = Place(row.version, row.signal_id)
            if self._question.wants(row):
                self._held.put(row, place_of_row(row))
        return told(self._held)

    async def _followed(self, follower: Follower) -> AsyncIterator[bytes]:
        looks, held = self.looks(), self._held
        while not (follower.overflow or held.full):
            if looks.due():
                for data in await self._unsettled():
                    yield data
            for data in told(held):
                yield data
            try:
                row = await follower.next(held.wait(looks.wait()))
            except TimeoutError:
                continue
            if row is None:
                return
            if row.version > self._after.version:
                self._after = Place(row.version)
                if self._question.wants(row):
                    held.put(row, place_of_row(row))

    def looks(self) -> "Looks":
        """Return when to look at what is unsettled."""
        return Looks(self._parts.settings.stream_poll_s if self._question.live else None)

    async def _reached(self) -> int:
        rows = await self._parts.store.rows("signals_reached")
        return int(rows[0]["version"]) if rows else 0

    async def _read(self) -> list[SignalRow]:
        rows = await self._parts.store.rows(
            "signals_after",
            source=self._question.source,
            after=self._after.version,
            after_id=self._after.signal_id,
            limit=BATCH,
        )
        return [msgspec.convert(row, SignalRow, strict=False) for row in rows]

    async def _unsettled(self) -> list[bytes]:
        """Return what only waiting events have made and was not shown yet; it has no id."""
        try:
            found = await self._parts.live.signals(self._question.source)
        except MovingError:
            return []  # they are shown once somebody has them again
        rows = [msgspec.convert(row, SignalRow, strict=False) for row in found]
        rows = [row for row in rows if not self._parts.gate.holds(row)]
        fresh = [r for r in rows if r.signal_id not in self._shown and self._question.wants(r)]
        # Only what still waits is remembered, so that a long stream does not grow.
        self._shown = {row.signal_id for row in rows}
        return [chunk(row) for row in fresh]


class Looks:
    """When to look at what is unsettled: every so many seconds, however busy the signals are.

    ``every_s`` None never looks.
    """

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._next = time.monotonic()

    def due(self) -> bool:
        """Tell whether to look now; then the next time is one period away."""
        if self._every_s is None or time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._every_s
        return True

    def wait(self) -> float | None:
        """Return the seconds until the next look, None where none comes."""
        return None if self._every_s is None else max(0.0, self._next - time.monotonic())


def told(held: Held) -> list[bytes]:
    """Take what may be told now, as server-sent events."""
    return [chunk(row, at) if row else f"id: {at}\n\n".encode() for row, at in held.take()]


def place_of_row(row: SignalRow) -> str:
    """Return the place behind a row."""
    return str(Place(row.version, row.signal_id))


def chunk(row: SignalRow, place: str = "") -> bytes:
    """Return a signal as one server-sent event; only a settled one has a place to resume from."""
    fields: dict[str, Any] = {**msgspec.to_builtins(row), "settled": bool(place)}
    data = msgspec.json.encode(shape(fields, Signal))
    head = f"id: {place}\n".encode() if place else b""
    return head + b"data: " + data + b"\n\n"


class EventStream(StreamingResponse):
    """The answer that carries a stream: given up when the client has not read for too long.

    ``cut`` is called then. Whatever ends it, the chunks are closed, and with them the feed.
    """

    media_type = "text/event-stream"

    def __init__(
        self, chunks: AsyncGenerator[bytes], stall_s: float, cut: Callable[[], None]
    ) -> None:
        super().__init__(chunks, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._chunks = chunks
        self._stall_s = stall_s
        self._cut = cut

    async def stream_response(self, send: Send) -> None:
        """Send chunk by chunk, each within the time a client has to read."""

        async def bounded(message: Message) -> None:
            async with asyncio.timeout(self._stall_s):
                await send(message)

        try:
            await super().stream_response(bounded)
        except TimeoutError:
            self._cut()
        finally:
            await self._chunks.aclose()


async def with_keep_alive(
    chunks: AsyncGenerator[bytes], every_s: float, first: bytes = b""
) -> AsyncGenerator[bytes]:
    """Yield what came first and the chunks, and a comment whenever none came for so long."""
    pending: asyncio.Task[bytes] | None = None
    try:
        if first:
            yield first
        while True:
            pending = pending or asyncio.create_task(_next(chunks))
            done, _ = await asyncio.wait({pending}, timeout=every_s)
            if not done:
                yield ALIVE
                continue
            data, pending = pending.result(), None
            if not data:
                return
            yield data
    finally:
        if pending:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
        await chunks.aclose()


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    return await anext(chunks, b"")
