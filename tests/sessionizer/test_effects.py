"""*Effects*: whatever is stopped, continued or killed, every row is told once, and none is lost."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.common.kafka import worker_group
from services.common.settings import Settings
from tests.sessionizer.street import Street, street, visit
from tests.sessionizer.told import exact, signal_ids
from tests.sessionizer.workers import FENCED, Crew, Worker, crew
from tests.support.commands import Commands
from tests.support.kafka import expel

SHARED_SECONDS = 90.0


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    return kafka_settings


class Load:
    """Shoppers that come one after the other for as long as the block lasts."""

    def __init__(self, street: Street) -> None:
        self.number = 0
        self._street = street
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._stop.is_set():
            await self._street.send(*[e for n in range(5) for e in visit(self.number + n)])
            self.number += 5
            await asyncio.sleep(0.1)

    async def end(self) -> int:
        self._stop.set()
        await self._task
        return self.number


async def owning(hands: Crew, share: Callable[[list[int]], bool]) -> None:
    """Wait until the workers own all partitions between them, shared as asked."""
    until = time.monotonic() + SHARED_SECONDS
    wanted = set(range(hands.settings.kafka_partitions))
    while True:
        found = [await asyncio.to_thread(worker.partitions) for worker in hands.workers]
        if set().union(*found) == wanted and share(sorted(len(one) for one in found)):
            return
        assert time.monotonic() < until, f"{found}\n{hands.workers[-1].text()[-3000:]}"
        await asyncio.sleep(0.3)


async def ready(worker: Worker) -> None:
    await asyncio.to_thread(worker.wait_ready)


@pytest.mark.slow
async def test_stopped_continued_and_killed_workers_lose_and_double_nothing(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            load = Load(here)
            first = hands.hire()
            await ready(first)
            await asyncio.sleep(1)
            first.signal(signal.SIGSTOP)  # long enough to lose everything it owns
            second = hands.hire()
            await asyncio.to_thread(second.eventually, second.partitions, "the owner")
            await asyncio.sleep(1)
            first.signal(signal.SIGCONT)
            assert await asyncio.to_thread(first.wait) == FENCED, first.text()[-3000:]
            await asyncio.sleep(1)
            second.close()
            await expel(settings, worker_group(settings))
            third = hands.hire()
            await asyncio.to_thread(third.eventually, third.partitions, "the owner")
            await asyncio.sleep(1)
            shoppers = await load.end()
            rows = await exact(settings, here.sent)
            assert set(signal_ids(rows).values()) == {1}
            assert len({row.visitor_id for row in rows.sessions}) == shoppers
            assert await asyncio.to_thread(third.stop) == 0


@pytest.mark.slow
async def test_partitions_go_to_a_second_worker_and_come_back_exactly(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            load = Load(here)
            first = hands.hire()
            await ready(first)
            second = hands.hire()
            await owning(hands, lambda counts: counts == [2, 2])
            await asyncio.sleep(1)
            assert await asyncio.to_thread(second.stop) == 0, second.text()[-3000:]
            await owning(hands, lambda counts: counts == [0, 4])
            await asyncio.sleep(1)
            shoppers = await load.end()
            rows = await exact(settings, here.sent)
            assert set(signal_ids(rows).values()) == {1}
            assert len({row.visitor_id for row in rows.sessions}) == shoppers
            states = await asyncio.to_thread(first.metric, "waymark_sessionizer_partition_states")
            assert set(states) == {"0", "1", "2", "3"}
            assert await asyncio.to_thread(first.stop) == 0
