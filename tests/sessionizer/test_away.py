"""Brokers that are away for longer than a worker waits."""

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest

from deploy.kafka.broker import Broker
from services.common.settings import Settings
from tests.sessionizer.street import Street, street, visit
from tests.sessionizer.told import eventually, exact, told
from tests.sessionizer.workers import FENCED, crew
from tests.support.commands import Commands
from tests.support.kafka import settings_for

PATIENCE_SECONDS = 3


async def told_any(settings: Settings) -> bool:
    return bool((await told(settings)).sessions)


async def walk(here: Street, numbers: range) -> None:
    for number in numbers:
        await here.send(*visit(number))
        await asyncio.sleep(0.02)


@pytest.mark.skipif(
    "WAYMARK_TEST_CHAOS" not in os.environ,
    reason="takes a minute and wants a quiet machine: WAYMARK_TEST_CHAOS=1 runs it",
)
async def test_a_worker_ends_when_brokers_stay_away_and_the_next_goes_on_exactly(
    commands: Commands, victim: Broker, tmp_path: Path
) -> None:
    settings = settings_for(
        victim.address, kafka_partitions=2, kafka_patience_seconds=PATIENCE_SECONDS
    )
    with crew(commands, settings, tmp_path) as hands:
        async with street(settings) as here:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            await walk(here, range(10))
            walking = asyncio.create_task(walk(here, range(10, 130)))
            # Once events settle, there is something to store at every moment.
            await eventually(partial(told_any, settings), "told anything")
            await asyncio.to_thread(victim.kill)
            try:
                assert await asyncio.to_thread(worker.wait) == FENCED, worker.text()[-3000:]
            finally:
                await asyncio.to_thread(victim.start)
            assert "fatal" in worker.text()
            await walking
            again = hands.hire()
            await asyncio.to_thread(again.wait_ready)
            await walk(here, range(130, 135))
            await exact(settings, here.sent)
            assert await asyncio.to_thread(again.stop) == 0, again.text()[-3000:]
