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
from tests.chaos.clock import HostClock
from tests.chaos.monkey import HOUR_MS
from tests.chaos.rebuilt import rebuilt
from tests.chaos.run import Plan, rage
from tests.chaos.storefront import Storefront
from tests.chaos.verdict import at_rest
from tests.support.kafka import read_all

KILLS = 15
LATE_SECONDS = 400.0
PAUSE_SECONDS = 16
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


async def _behind_until_someone_is_late(clock: HostClock, front: Storefront) -> None:
    """Set the clock back, for as long as stories pause, until somebody came back meanwhile.

    Whoever comes back before the first visit has settled is in time.
    """
    async with asyncio.timeout(LATE_SECONDS):
        late = False
        while not late:
            now_ms = time.time_ns() // 1_000_000
            clock.step(-HOUR_MS)
            await asyncio.sleep(PAUSE_SECONDS)
            late = any(
                min(ts) < now_ms - SETTLED_MS and max(ts) > now_ms for ts in _times(front).values()
            )
            clock.step(0)
            await asyncio.sleep(0 if late else PAUSE_SECONDS)


def _times(front: Storefront) -> dict[str, list[int]]:
    """Return when each visitor did something, by the true clock."""
    times: dict[str, list[int]] = defaultdict(list)
    for event in front.acknowledged.values():
        times[str(event.get("visitor_id") or event["event_id"])].append(event["ts_ms"])
    return times


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
                await _behind_until_someone_is_late(clock, front)
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
