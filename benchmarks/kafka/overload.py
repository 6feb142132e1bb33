"""Section *overload*: single POSTs at twice what ingest can serve, from a crowd of shoppers.

First what it serves flat out; then twice that rate, whatever the answers do (an open loop). Those
whom it accepts are to be served in time, the others to be told at once to come again. The
generator has a core of its own; where it, or its connections, do not suffice for twice the rate,
the row says how much was not sent.
"""

import asyncio
import time
from collections import defaultdict, deque
from typing import cast

import uvloop

from benchmarks.ingest_load import requests
from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.parts import KEY, part
from benchmarks.kafka.process import cpu_seconds
from benchmarks.kafka.rows import Row

PREFIX = "overload"
READY = 20_000
FLAT = 64
CROWD = 10_000
"""Connections, each with one request under way at most, as a browser or an SDK has."""
ASKED = "p99 of the accepted < 1,000 ms"


def run(bench: Bench) -> None:
    """Measure the capacity, then twice of it."""
    say("flat out, then twice that rate")
    with part(bench, "ingest", PREFIX, core=0, label=PREFIX) as ours:
        ours.wait_ready()
        crowd = uvloop.run(_both(ours.port, bench.seconds))
        core = cpu_seconds(ours.process.pid)
    say(f"{core:.1f} CPU-s in all")
    bench.rows.append(crowd)


async def _both(port: int, seconds: float) -> Row:
    crowd = Crowd(requests(KEY, 1, READY))
    await crowd.connect(port, FLAT)
    await crowd.flat_out(2.0)  # caches, the catalog
    crowd.reset()
    served = await crowd.flat_out(seconds)
    crowd.reset()
    await crowd.connect(port, CROWD - FLAT)
    await crowd.open_loop(seconds, 2 * served)
    crowd.close()
    ok, refused = crowd.taken[200], crowd.taken[429] + crowd.taken[503]
    other = (
        f"of {2 * served:,.0f}/s: accepted p50 {_ms(ok, 0.5):.0f} ms, p99 {_ms(ok, 0.99):.0f} ms; "
        f"{len(refused):,} refused, p99 {_ms(refused, 0.99):.0f} ms; {crowd.unsent:,} not sent, "
        f"{len(crowd.taken[0]):,} cut off"
    )
    return Row("Waymark at twice what it serves", len(ok) / seconds, None, ASKED, other)


def _ms(taken: list[float], share: float) -> float:
    return 1_000 * sorted(taken)[int(share * (len(taken) - 1))] if taken else 0.0


class Crowd:
    """Many connections to one server, and how long each answer took by its status."""

    def __init__(self, ready: list[bytes]) -> None:
        self._ready = ready
        self._next = self._under_way = 0
        self._refill = False
        self._all: list[_Shopper] = []
        self.free: deque[_Shopper] = deque()
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self.taken: dict[int, list[float]] = defaultdict(list)
        self.unsent = 0

    async def connect(self, port: int, count: int) -> None:
        """Open so many connections more."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, made = await loop.create_connection(lambda: _Shopper(self), "127.0.0.1", port)
            self._all.append(made)
            self.free.append(made)

    async def flat_out(self, seconds: float) -> float:
        """Keep some connections busy; return the answers a second."""
        self._refill = True
        while self.free:
            self._send(self.free.popleft())
        await asyncio.sleep(seconds)
        self._refill = False
        await self._all_answered()
        return len(self.taken[200]) / seconds

    async def open_loop(self, seconds: float, rate: float) -> None:
        """Send at a rate, whatever the answers do."""
        began, sent = time.perf_counter(), 0
        while (gone := time.perf_counter() - began) < seconds:
            for _ in range(int(gone * rate) - sent):
                sent += 1
                if self.free:
                    self._send(self.free.popleft())
                else:
                    self.unsent += 1
            await asyncio.sleep(0.001)
        await self._all_answered()

    def answered(self, shopper: "_Shopper", status: int, seconds: float) -> None:
        """Note an answer; status 0 is a connection that was closed on the way."""
        self.taken[status].append(seconds)
        self._under_way -= 1
        if self._refill:
            self._send(shopper)
        elif status:
            self.free.append(shopper)

    def _send(self, shopper: "_Shopper") -> None:
        self._next += 1
        if shopper.send(self._ready[self._next % len(self._ready)]):
            self._under_way += 1
        else:
            self.unsent += 1

    async def _all_answered(self) -> None:
        while self._under_way:  # noqa: ASYNC110 - many answer, one waits
            await asyncio.sleep(0.005)

    def close(self) -> None:
        """Close the connections."""
        for one in self._all:
            one.close()


class _Shopper(asyncio.Protocol):
    """One connection with one request at a time; an answer here fits into what is read at once."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._sent = 0.0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._sent:
            self._crowd.answered(self, 0, time.perf_counter() - self._sent)

    def send(self, request: bytes) -> bool:
        if self._transport.is_closing():
            return False
        self._sent = time.perf_counter()
        self._transport.write(request)
        return True

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        mark = buffer.index(b"content-length: ") + 16
        if len(buffer) < end + 4 + int(buffer[mark : buffer.index(b"\r", mark)]):
            return
        taken = time.perf_counter() - self._sent
        self._buffer, self._sent = b"", 0.0
        self._crowd.answered(self, int(buffer[9:12]), taken)
