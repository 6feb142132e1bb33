"""A load generator for HTTP/1.1 POSTs: raw sockets, keep-alive, pipelined, ready-made requests.

It does as little as it can for a request, so that one core of it outruns one core of a server.
"""

import asyncio
import json
import random
import time
from collections import deque
from typing import cast

TYPES = (
    ("page_view", "/"),
    ("page_view", "/c/shoes"),
    ("product_list_view", "/c/shoes?utm_source=news&utm_medium=email&utm_campaign=autumn"),
    ("product_view", "/p/1001?gclid=abc123"),
    ("product_view", "/p/1002"),
    ("cart_add", "/p/1002"),
    ("checkout_start", "/checkout"),
)
AGENTS = tuple(
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/{major}.0.0.0 Safari/537.36"
    for major in range(100, 140)
)


def event(number: int, now_ms: int) -> dict[str, object]:
    """Return one storefront event of about 300 bytes, as a shop's backend sends it."""
    kind, path = TYPES[number % len(TYPES)]
    made: dict[str, object] = {
        "type": kind,
        "event_id": f"e-{number:012d}",
        "visitor_id": f"v-{number // 9 % 20_000:08d}",
        "ts_ms": now_ms - number % 5_000,
        "url": f"https://shop.example{path}",
        "referrer": "https://www.google.com/" if number % 9 == 0 else "https://shop.example/",
        "ua": AGENTS[number % len(AGENTS)],
    }
    if kind in ("product_view", "cart_add"):
        made["products"] = [{"product_id": "1002", "price": "35.79", "quantity": 1}]
    return made


def requests(key: str, batch: int, count: int) -> list[bytes]:
    """Return ready-made requests of ``batch`` events each."""
    now_ms = time.time_ns() // 1_000_000
    made = []
    for start in range(0, count * batch, batch):
        events = [event(number, now_ms) for number in range(start, start + batch)]
        body = json.dumps(events if batch > 1 else events[0], separators=(",", ":")).encode()
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Connection(asyncio.Protocol):
    """One keep-alive connection; counts answers and times each from its sending."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._sent: deque[float] = deque()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)

    def pending(self) -> int:
        """Return how many answers are missing."""
        return len(self._sent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a connection that the server closed while it owed answers."""
        if self._sent:
            self._load.failure = f"the server closed a connection: {exc}"

    def send(self, request: bytes, at: float) -> None:
        """Send a request that should have gone at ``at``."""
        self._sent.append(at)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take whole answers off the stream; anything but 200 is a failure of the run."""
        buffer = self._buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            if not buffer.startswith(b"HTTP/1.1 200"):
                self._load.failure = f"the server answered {buffer[:200]!r}"
            mark = buffer.index(b"content-length: ") + 16
            whole = end + 4 + int(buffer[mark : buffer.index(b"\r", mark)])
            if len(buffer) < whole:
                break
            buffer = buffer[whole:]
            self._load.answered(self, self._sent.popleft())
        self._buffer = buffer


class Load:
    """Connections to one server, run either flat out or at a fixed rate."""

    def __init__(self, ready: list[bytes]) -> None:
        self._ready = ready
        self._next = 0
        self._refill = False
        self.failure = ""
        self.done = 0
        self.seconds: list[float] = []
        self.connections: list[Connection] = []

    async def connect(self, port: int, count: int) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, made = await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
            self.connections.append(made)

    def answered(self, connection: Connection, sent: float) -> None:
        """Note an answer; flat out, the next request follows at once."""
        now = time.perf_counter()
        self.done += 1
        self.seconds.append(now - sent)
        if self._refill:
            connection.send(self._pick(), now)

    def _pick(self) -> bytes:
        self._next += 1
        return self._ready[self._next % len(self._ready)]

    async def flat_out(self, seconds: float, depth: int) -> None:
        """Keep ``depth`` requests under way on each connection; then wait for the last answers."""
        self._refill = True
        for connection in self.connections:
            for _ in range(depth):
                connection.send(self._pick(), time.perf_counter())
        await asyncio.sleep(seconds)
        self._refill = False
        await self._wait()

    async def paced(self, seconds: float, rate: float) -> None:
        """Send at a fixed rate with random gaps, whatever the answers do (an open loop)."""
        rng = random.Random(7)
        began = due = time.perf_counter()
        sent = 0
        while due < began + seconds:
            wait = due - time.perf_counter()
            if wait > 0.0005:  # noqa: PLR2004 - finer than a timer can be kept
                await asyncio.sleep(wait)
            elif sent % 50 == 0:
                await asyncio.sleep(0)
            self.connections[sent % len(self.connections)].send(self._pick(), due)
            sent += 1
            due += rng.expovariate(rate)
        await self._wait()

    async def _wait(self) -> None:
        while any(connection.pending() for connection in self.connections):
            if self.failure:
                raise RuntimeError(self.failure)
            await asyncio.sleep(0.005)
