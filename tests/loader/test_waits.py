"""How far storage is known to reach while the loader is away, and once it has caught up.

And what the brokers tell of it that is not known, or not any more.
"""

import asyncio

from services.common.clock import SystemClock
from services.common.kafka import loader_group
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.loader.pace import ARRIVES_MS
from services.metrics_api.group_lag import GroupLag
from services.metrics_api.holding import Gate
from services.metrics_api.hops import TopicHops
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
    clock, waits = ManualClock(NOW), TopicWaits(settings, keep_s=0)
    kept = TopicWaits(settings, keep_s=3_600)
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
            was = await kept.waits_ms()
            assert was
            assert reach.within(NOW) is None
            assert await looks() is None, table
            async with loading(settings) as (loader, _):
                await until_loaded(loader, records)
            assert await waits.waits_ms() == 0
            assert (await kept.waits_ms() or 0) > was, "asked once, and older since"
            assert await looks() == NOW + ARRIVES_MS
            clock.move(60_000)
            reach = Reach(gate, waits.waits_ms, clock)
    finally:
        await waits.close()
        await kept.close()


async def test_records_of_a_broker_whose_clock_is_ahead_have_no_age(settings: Settings) -> None:
    await fill(settings, {"signals": lines_of(SHOP)["signals"]})
    topic, past = topic_name(settings, "signals"), SystemClock().now_ms() - 60_000
    groups = GroupLag(settings, ManualClock(past))
    try:
        lag = await groups.look(loader_group(settings), [topic])
        assert (lag.age_ms, lag.whole) == (None, True)
        assert lag.records > 0
    finally:
        await groups.close()


async def test_what_was_seen_long_ago_is_not_told_beside_a_log_that_is_silent(
    settings: Settings,
) -> None:
    await ensure_topics(settings)
    made = TopicHops(settings, patience_s=0, recent_s=0)
    try:
        async with asyncio.timeout(60):
            while len(await made.hops()) == 2:  # noqa: ASYNC110 - until the log answers
                await asyncio.sleep(0.05)
            while len(told := await made.hops()) > 2:  # noqa: ASYNC110 - until it is asked anew
                await asyncio.sleep(0.05)
        assert [hop.name for hop in told] == ["log", "reads"]
        assert "does not answer" in told[0].note
    finally:
        await made.close()
