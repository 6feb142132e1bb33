"""A journey through the real broker: a first start, a restart, and a foreign producer."""

import asyncio
from pathlib import Path

import pytest

from services.common.settings import Settings
from tests.sessionizer.street import does, street, visit
from tests.sessionizer.told import exact, signal_ids
from tests.sessionizer.workers import crew
from tests.support.commands import Commands


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    return kafka_settings.model_copy(update={"kafka_partitions": 2})


async def test_a_first_start_and_a_restart_are_exact(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await here.send(*[event for n in range(40) for event in visit(n)])
            await asyncio.to_thread(worker.wait_ready)
            for n in range(40, 60):
                await here.send(*visit(n))
            assert await asyncio.to_thread(worker.stop) == 0, worker.text()
            for n in range(60, 80):
                await here.send(*visit(n))
            again = hands.hire()
            await asyncio.to_thread(again.wait_ready)
            for n in range(80, 100):
                await here.keyed(does("page_view", f"v{n}", path="/", page_kind="home"))
            rows = await exact(settings, here.sent)
            assert set(signal_ids(rows).values()) == {1}
            assert {row.visitor_id for row in rows.sessions} == {f"v{n}" for n in range(100)}
            assert await asyncio.to_thread(again.stop) == 0, again.text()
