"""How far storage is known to reach while the loader is away, and once it has caught up."""

import asyncio

from services.common.settings import Settings
from services.loader.pace import ARRIVES_MS
from services.metrics_api.holding import Gate
from services.metrics_api.reach import SLACK_MS, Reach
from services.metrics_api.topic_waits import TopicWaits
from services.sessionizer.core.policy import SourceRules
from tests.metrics.shop import NOW, generate
from tests.support.clock import ManualClock
from tests.support.loading import fill, lines_of, loading, until_loaded
from tests.support.reads import MemoryLive

SHOP = generate(seed=33, visits=5)


async def until_old(waits: TopicWaits) -> None:
    async with asyncio.timeout(60):
        while not await waits.waits_ms():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.1)


async def test_storage_reaches_no_further_than_a_loader_that_is_away(settings: Settings) -> None:
    clock, waits = ManualClock(NOW), TopicWaits(settings)
    gate = Gate(MemoryLive(NOW), clock, lambda _: SourceRules())
    reach = Reach(gate, waits.waits_ms, clock)

    async def looks() -> int | None:
        for _ in range(2):
            await gate.look()
            await reach.look()
            clock.move(SLACK_MS)
        return reach.within(NOW + ARRIVES_MS)

    try:
        for table in ("events", "signals"):
            records = await fill(settings, {table: lines_of(SHOP)[table]})
            await until_old(waits)
            assert reach.within(NOW) is None
            assert await looks() is None, table
            async with loading(settings) as (loader, _):
                await until_loaded(loader, records)
            assert await waits.waits_ms() == 0
            assert await looks() == NOW + ARRIVES_MS
            clock.move(60_000)
            reach = Reach(gate, waits.waits_ms, clock)
    finally:
        await waits.close()
