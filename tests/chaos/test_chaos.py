"""Parts die, stand still and come back under load; the host's clock jumps. All is as it was sent.

The long run is ``make chaos``. ``WAYMARK_TEST_SEED`` repeats a run.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.chaos.again import read_again
from tests.chaos.city import KEY, city, tended
from tests.chaos.monkey import HOUR_MS
from tests.chaos.rebuilt import rebuilt
from tests.chaos.run import Plan, rage
from tests.chaos.storefront import Storefront
from tests.chaos.verdict import at_rest
from tests.support.kafka import read_all

KILLS = 15
BACK_SECONDS = 180.0
SETTLED_MS = 9_000
"""The grace of the policy, and some time to be appended in."""


asked_for = pytest.mark.skipif(
    "WAYMARK_TEST_CHAOS" not in os.environ,
    reason="takes minutes and wants a quiet machine: WAYMARK_TEST_CHAOS=1 runs it",
)


@pytest.fixture
def seed() -> int:
    found = int(os.environ.get("WAYMARK_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    say(f"seed {found}")
    return found


def say(what: str) -> None:
    """Print: it is shown where the test fails."""
    sys.stdout.write(f"{what}\n")


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifteen_kills_lose_and_double_nothing_nor_does_reading_all_again(
    seed: int, tmp_path: Path
) -> None:
    outcome = await rage(Plan(seed=seed, kills=KILLS), tmp_path, say, then=read_again)
    say(str(outcome))
    assert sum(outcome.kills.values()) >= KILLS
    assert outcome.report.rows["carts"] > KILLS
    if outcome.steps:
        assert outcome.report.greatest_lag_ms > HOUR_MS, "the ingest host's clock was behind"


async def _until_someone_is_back(front: Storefront) -> None:
    """Wait for a shopper whose visit had settled before now, and who does something from now on."""
    now_ms = time.time_ns() // 1_000_000
    async with asyncio.timeout(BACK_SECONDS):
        while True:
            times: dict[str, list[int]] = defaultdict(list)
            for event in front.acknowledged.values():
                who = str(event.get("visitor_id") or event["event_id"])
                times[who].append(event["ts_ms"])
            if any(min(ts) < now_ms - SETTLED_MS and max(ts) > now_ms for ts in times.values()):
                return
            await asyncio.sleep(0.5)


@asked_for
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_steps_of_the_ingest_hosts_clock_move_no_time_but_of_what_is_received_then(
    seed: int, tmp_path: Path
) -> None:
    """A clock that is behind dates events back: whoever had come before is late, and marked.

    The log's own clock is the brokers'; nobody is declared gone because of it.
    """
    with city(tmp_path) as made:
        clock = made.clock
        if clock is None:
            pytest.skip("no C compiler (or not Linux): another process's clock cannot be set")
        async with tended(made):
            await asyncio.to_thread(made.start, 1)
        front = Storefront(made.ingest.url, KEY, seed)
        try:
            async with tended(made):
                front.open(per_second=5)
                for off_ms in (0, HOUR_MS, 0):
                    clock.step(off_ms)
                    await asyncio.sleep(6)
                clock.step(-HOUR_MS)
                await _until_someone_is_back(front)
                clock.step(0)
                before = front.shoppers
                await asyncio.sleep(5)
                await front.close()
                verdict = await at_rest(made.settings, front.acknowledged, 200)
                report = await rebuilt(made.settings, verdict)
        finally:
            await front.end()
        log = await read_all(made.settings, "events")
    say(str(report))
    assert report.greatest_lag_ms > HOUR_MS, "the clock was behind"
    assert report.flags.get("late"), "who had come before the step was marked"
    events = [one for record in log for one in map(json.loads, record.value.split(b"\n"))]
    newcomers = {f"v{number}" for number in range(before, front.shoppers)}
    since = [one for one in events if one.get("visitor_id") in newcomers and "event_id" in one]
    assert since
    assert all(one["ts_ms"] == front.acknowledged[one["event_id"]]["ts_ms"] for one in since)
