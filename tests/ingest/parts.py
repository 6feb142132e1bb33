"""An ingest over the ports in memory, called directly or through a real server."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from schemas.event import Event
from services.common.catalog import Catalog
from services.common.hosts import App, Message
from services.common.metrics import Metrics
from services.ingest.app import Ingest, Limits, create_ingest
from services.sessionizer.core.policy import SourceRules
from tests.support.clock import ManualClock
from tests.support.memory import MemoryLog

NOW_MS = 1_790_000_000_000
VIEW = {"type": "page_view", "visitor_id": "v1", "event_id": "e1", "url": "https://shop.example/"}
RULES = SourceRules()
CART = {"value": 3579, "abandoned_value": None, "lines": [{"price": 1193, "quantity": 3}]}


async def preview(source: str, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Tell of each event its place only; the real one is the sessionizer's."""
    assert source == "shop"
    return [
        {"session": {"n": n}, "cart": CART | {"currency": event.currency}}
        for n, event in enumerate(events)
    ]


class Parts:
    """One ingest with all it stands on."""

    def __init__(
        self, folder: Path, limits: Limits | None = None, trusted: Iterable[str] = ()
    ) -> None:
        self.clock = ManualClock(NOW_MS)
        self.log = MemoryLog(self.clock)
        self.catalog = Catalog(folder / "catalog.db", self.clock)
        first = self.catalog.first_start()
        assert first is not None
        assert first.write_key is not None
        self.key = first.write_key
        self.metrics = Metrics()
        self.app: Ingest = create_ingest(
            self.log,
            self.log,
            self.catalog,
            rules=lambda _source: RULES,
            clock=self.clock,
            metrics=self.metrics,
            preview=preview,
            trusted_proxies=trusted,
            country_header="cf-ipcountry",
            limits=limits,
        )

    def events(self) -> list[Event]:
        """Return what the log holds."""
        lines = b"\n".join(record.body for record in self.log.records)
        return msgspec.json.Decoder(Event).decode_lines(lines) if lines else []

    def counted(self, name: str) -> float:
        """Return the value of one line of the metrics, such as ``x_total{code="a"}``."""
        lines = self.metrics.expose().decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(name + " ")), 0.0)


class Reply(msgspec.Struct):
    """An answer as the client sees it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body decoded."""
        return json.loads(self.body)


def bearer(key: str, **more: str) -> dict[str, str]:
    """Return the headers of an authorised JSON request; ``_`` in a name stands for ``-``."""
    made = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    return made | {name.replace("_", "-"): value for name, value in more.items()}


async def call(
    app: App,
    parts: Iterable[bytes | None] = (b"",),
    headers: dict[str, str] | None = None,
    *,
    method: str = "POST",
    path: str = "/v1/events",
    query: str = "",
    peer: str = "203.0.113.77",
) -> Reply | None:
    """Call an application as a server does, body part by part; None where it answered nothing.

    After the last part the client waits; a part that is None means that it went away.
    """
    waiting = list(parts)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        if not waiting:
            await asyncio.Event().wait()
        part = waiting.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        more = bool(waiting) or part.endswith(b"\0more")
        return {"type": "http.request", "body": part.removesuffix(b"\0more"), "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
        "client": (peer, 4711),
    }
    await app(scope, receive, send)
    return _reply(sent) if sent else None


def _reply(sent: list[Message]) -> Reply:
    start, *bodies = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], headers, b"".join(body.get("body", b"") for body in bodies))


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[str]:
    """Serve an application with the real server on a free port; give its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, loop="none", http="httptools", lifespan="off", log_config=None, proxy_headers=False
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await running
    listener.close()
