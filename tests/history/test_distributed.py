"""History beside real workers, loaders and ClickHouse over HTTP: rebuild and forget."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.cli.shared import call_shared
from services.common.clickhouse import ClickHouse
from services.common.ports import nothing
from services.common.settings import Settings
from services.history.distributed.live import linked
from tests.sessionizer.street import Street, does, now_ms, street
from tests.sessionizer.told import eventually
from tests.sessionizer.workers import Crew, crew
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.loading import loading


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    made = ClickHouseProcess(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def settings(kafka_settings: Settings, server: ClickHouseProcess, tmp_path: Path) -> Settings:
    address = f"{server.url}/{kafka_settings.kafka_prefix}"
    return kafka_settings.model_copy(
        update={"clickhouse": address, "data": tmp_path, "policy": tmp_path / "policy.toml"}
    )


class Shop:
    """A running installation of one worker and one loader."""

    def __init__(self, settings: Settings, here: Street, hands: Crew, storage: ClickHouse) -> None:
        self.settings = settings
        self.here = here
        self.hands = hands
        self.storage = storage

    async def call(self, command: str, **args: Any) -> Any:
        return msgspec.to_builtins(
            await asyncio.to_thread(call_shared, self.settings, command, args, nothing)
        )

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return self.storage.query(sql)

    async def until(self, sql: str, want: Any, name: str) -> None:
        async def same() -> bool:
            return bool([list(row.values()) for row in self.rows(sql)] == want)

        await eventually(same, name)


@asynccontextmanager
async def shop(settings: Settings, folder: Path) -> AsyncIterator[Shop]:
    async with street(settings) as here:
        with crew(settings, folder) as hands:
            worker = hands.hire()
            async with loading(settings) as (_, warehouse):
                await asyncio.to_thread(worker.wait_ready)
                storage = await asyncio.to_thread(warehouse.storage)
                one = Shop(settings, here, hands, storage)
                await one.call("sources.set", name="shop", timezone="UTC", currency="USD")
                yield one


async def test_a_late_event_is_folded_in_by_the_rebuild_of_the_marked(
    settings: Settings, tmp_path: Path
) -> None:
    async with shop(settings, tmp_path) as one:
        at = now_ms()
        await one.here.send(does("page_view", "v", ts_ms=at, path="/", page_kind="home"))
        closed = "SELECT count() FROM sessions FINAL WHERE closed_ms IS NOT NULL"
        await one.until(closed, [[1]], "closed")
        await one.here.send(does("page_view", "v", ts_ms=at - 100, path="/late", page_kind="home"))
        await one.until("SELECT flag FROM event_flags FINAL", [["late"]], "marked")
        done = await one.call("rebuild", source="shop", marked=True)
        assert done["events"] == 2
        views = one.rows("SELECT page_views FROM sessions FINAL WHERE deleted = 0")
        assert [row["page_views"] for row in views] == [2]
        assert one.rows("SELECT count() AS n FROM event_flags FINAL") == [{"n": 0}]


async def test_a_person_is_forgotten_by_workers_and_storage_and_says_nothing_more(
    settings: Settings, tmp_path: Path
) -> None:
    async with shop(settings, tmp_path) as one:
        for visitor in ("phone", "laptop", "other"):
            user = "" if visitor == "other" else "u"
            await one.here.send(
                does("cart_add", visitor, cart_id="c", user_id=user, page_kind="product"),
                does("page_view", visitor, path="/", page_kind="home"),
            )
        went = await one.call("forget", source="shop", user_id="u")
        assert went["visitors"] == 3  # phone, laptop and user:u
        assert went["events"] == 4
        with linked(settings) as link:
            since, _ = await asyncio.to_thread(
                link.view, "nobody", "shop", ["phone", "laptop", "other"]
            )
        assert since["other"] < 1 << 62
        assert {since["phone"], since["laptop"]} == {1 << 62}
        closed = "SELECT visitor_id FROM sessions FINAL WHERE closed_ms IS NOT NULL"
        await one.until(closed, [["other"]], "the other's visit closed")
        for table in ("events", "sessions", "carts", "signals", "orders", "event_flags"):
            sql = f"SELECT DISTINCT visitor_id FROM {table}"
            assert {row["visitor_id"] for row in one.rows(sql)} <= {"other"}, table
