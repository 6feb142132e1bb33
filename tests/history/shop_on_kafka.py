"""A small installation on Kafka for the tests of history: one worker, one loader, ClickHouse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from schemas.event import Event
from services.cli.shared import call_shared
from services.common.catalog_topic import open_catalog
from services.common.clickhouse import ClickHouse
from services.common.clock import SystemClock
from services.common.errors import UnavailableError
from services.common.ports import nothing
from services.common.settings import Settings
from tests.sessionizer.street import Street, now_ms, street
from tests.sessionizer.told import eventually
from tests.sessionizer.workers import crew
from tests.support.commands import Commands
from tests.support.loading import loading


class Shop:
    """What runs; each test has a source of its own in it."""

    def __init__(self, settings: Settings, here: Street, storage: ClickHouse) -> None:
        self.settings = settings
        self.storage = storage
        self._here = here

    async def source(self, name: str) -> None:
        await self.call("sources.set", name=name, timezone="UTC", currency="USD")

    async def send(self, source: str, *events: Event) -> None:
        await self._here.send(*(msgspec.structs.replace(one, source=source) for one in events))

    async def call(self, command: str, **args: Any) -> Any:
        """Run a command as ``waymark`` does."""
        return msgspec.to_builtins(
            await asyncio.to_thread(call_shared, self.settings, command, args, nothing)
        )

    def rows(self, sql: str) -> list[list[Any]]:
        return [list(row.values()) for row in self.storage.query(sql)]

    async def until(self, sql: str, want: list[list[Any]]) -> None:
        async def same() -> bool:
            return self.rows(sql) == want

        await eventually(same, f"{sql}: {want}")


@asynccontextmanager
async def open_shop(commands: Commands, settings: Settings, folder: Path) -> AsyncIterator[Shop]:
    async with street(settings) as here:
        with crew(commands, settings, folder) as hands:
            worker = hands.hire()
            async with loading(settings) as (_, warehouse):
                await asyncio.to_thread(worker.wait_ready)
                storage = await asyncio.to_thread(warehouse.storage)
                await _salt(settings)
                yield Shop(settings, here, storage)


async def _salt(settings: Settings) -> None:
    """Have today's salt made, as an ingest does: who wants no analytics is hashed by it."""
    catalog = await asyncio.to_thread(open_catalog, settings, SystemClock(), keeper=True)

    async def made() -> bool:
        try:
            return bool(catalog.salts(now_ms()))
        except UnavailableError:
            return False

    try:
        await eventually(made, "the day's salt")
    finally:
        await asyncio.to_thread(catalog.close)
