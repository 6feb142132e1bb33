"""The reading side over the real engine, with literal rows; everything else in memory."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from schemas.event import Event
from schemas.rows import CartRow, DeadLetter, OrderRow, SessionRow, SignalRow
from services.common.catalog import Catalog
from services.common.catalog_rows import Source
from services.common.clickhouse import ClickHouse, open_storage
from services.common.fatal import die
from services.common.metrics import Metrics
from services.loader.event_rows import rows_of_events
from services.loader.migrate import migrate
from services.metrics_api.app import OnFatal, create_metrics_api
from services.metrics_api.parts import ApiSettings
from services.sessionizer.core.policy import SourceRules
from tests.support.clock import ManualClock
from tests.support.reads import MemoryFeed, MemoryForget, MemoryHealth, MemoryLive

NOW = 1_790_000_000_000
HOUR = 3_600_000
READ_ALL, READ_SHOP = "token-of-all", "token-of-shop"


def uid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


class World:
    """One API with all it stands on."""

    def __init__(self, storage: ClickHouse, catalog: Catalog, clock: ManualClock) -> None:
        self.storage = storage
        self.catalog = catalog
        self.clock = clock
        self.reads: Any = None
        self.on_fatal: OnFatal = die
        self.live = MemoryLive(NOW)
        self.feed = MemoryFeed()
        self.forget = MemoryForget()
        self.health = MemoryHealth()
        self.metrics = Metrics()
        self._version = NOW << 20
        self.filled: set[str] = set()

    def app(self, **settings: Any) -> Any:
        chosen = {"open_reads": True, "stream_poll_s": 0.02, "keep_alive_s": 0.2} | settings
        return create_metrics_api(
            storage=self.storage,
            live=self.live,
            feed=self.feed,
            catalog=self.catalog,
            rules=lambda source: SourceRules(),
            clock=self.clock,
            forget=self.forget,
            health=self.health,
            waits=self.health.waits_ms,
            metrics=self.metrics,
            settings=ApiSettings(**chosen),
            reads=self.reads,
            on_fatal=self.on_fatal,
        )

    def client(self, token: str = "", **settings: Any) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app(**settings), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)

    def source(self, name: str, **fields: Any) -> None:
        self.catalog.put_source(Source(name=name, **fields))

    def insert(self, table: str, *lines: bytes) -> None:
        self.filled.add(table)
        self.storage.insert(table, lines, secrets.token_hex())

    def version(self) -> int:
        self._version += 1
        return self._version

    def events(self, *events: Event) -> None:
        self.insert("events", *rows_of_events(events))

    def session(self, number: int, **fields: Any) -> SessionRow:
        base: dict[str, Any] = {
            "source": "shop",
            "visitor_id": "v1",
            "session_id": uid(number),
            "started_ms": NOW - HOUR,
            "ended_ms": NOW - HOUR + 60_000,
            "version": self.version(),
        }
        row = SessionRow(**(base | fields))
        self.insert("sessions", msgspec.json.encode(row))
        return row

    def closed(self, number: int, **fields: Any) -> SessionRow:
        start = fields.get("started_ms", NOW - HOUR)
        base: dict[str, Any] = {
            "ended_ms": start + 60_000,
            "closed_ms": start + 60_000 + 1_800_000,
            "duration_ms": 60_000,
            "open": False,
            "engaged": True,
            "bounced": False,
        }
        return self.session(number, **(base | fields))

    def cart(self, number: int, **fields: Any) -> CartRow:
        base: dict[str, Any] = {
            "source": "shop",
            "visitor_id": "v1",
            "cart_id": uid(number),
            "session_id": uid(1),
            "opened_ms": NOW - HOUR,
            "last_activity_ms": NOW - HOUR,
            "currency": "EUR",
            "version": self.version(),
        }
        row = CartRow(**(base | fields))
        self.insert("carts", msgspec.json.encode(row))
        return row

    def order(self, order_id: str, **fields: Any) -> OrderRow:
        base: dict[str, Any] = {
            "source": "shop",
            "visitor_id": "v1",
            "order_id": order_id,
            "event_id": f"e-{order_id}",
            "at_ms": NOW - HOUR,
            "currency": "EUR",
            "version": self.version(),
        }
        row = OrderRow(**(base | fields))
        self.insert("orders", msgspec.json.encode(row))
        return row

    def signal(self, number: int, *, store: bool = True, **fields: Any) -> SignalRow:
        base: dict[str, Any] = {
            "source": "shop",
            "visitor_id": "v1",
            "signal_id": uid(number),
            "kind": "cart_abandoned",
            "at_ms": NOW - HOUR,
            "emitted_ms": NOW,
            "version": self.version(),
        }
        row = SignalRow(**(base | fields))
        if store:
            self.insert("signals", msgspec.json.encode(row))
        return row

    def letter(self, name: str, **fields: Any) -> None:
        base: dict[str, Any] = {
            "id": name,
            "source": "shop",
            "received_ms": NOW - HOUR,
            "code": "invalid_field",
            "field": "ts_ms",
            "message": "ts_ms = 'x': not a time",
            "original": '{"type":"page_view"}',
        }
        self.insert("dead_letters", msgspec.json.encode(DeadLetter(**(base | fields))))


class Away:
    """Storage that fails as it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        raise self.error


@pytest.fixture(scope="session")
def reads_storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    storage = open_storage(chdb_dsn, "reads")
    migrate(storage)
    yield storage
    storage.close()


@pytest.fixture
def world(reads_storage: ClickHouse, tmp_path: Path) -> Iterator[World]:
    """Return a shop in euros, nothing stored, with tokens of all and of the shop."""
    clock = ManualClock(NOW)
    tokens = (READ_ALL, f"{READ_SHOP}:shop")
    catalog = Catalog(tmp_path / "catalog.db", clock, read_tokens=tokens)
    catalog.put_source(Source(name="shop", currency="EUR", timezone="Europe/Berlin"))
    world = World(reads_storage, catalog, clock)
    yield world
    for table in world.filled:
        reads_storage.command(f"TRUNCATE TABLE {table}")
    catalog.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as opened:
        yield opened


Get = Callable[..., Any]


@pytest.fixture
def get(client: httpx.AsyncClient) -> Get:
    """Ask and return the answer's JSON, which must be a 200."""

    async def ask(path: str, /, **parameters: Any) -> Any:
        answer = await client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask
