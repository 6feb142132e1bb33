"""A whole run: the city starts, shoppers come, the monkey rages, and the verdict is reached."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from tests.chaos.city import KEY, City, city, tended
from tests.chaos.monkey import HOUR_MS, Habits, Monkey
from tests.chaos.part import FATAL
from tests.chaos.rebuilt import rebuilt
from tests.chaos.storefront import Storefront
from tests.chaos.verdict import Report, at_rest

Say = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What a run does; seconds. A worker, the loader and ingest are stopped for ``long_stop``."""

    seed: int
    kills: int
    brokers: int = 1
    shoppers_per_second: float = 5.0
    habits: Habits = Habits()
    rest: float = 150.0
    long_stop: float = 0.0


class Outcome(Struct):
    """What a run saw."""

    report: Report
    kills: dict[str, int]
    stops: dict[str, int]
    longest: dict[str, float]
    steps: int
    restarts: list[tuple[str, int]]
    shoppers: int
    answers: dict[str, int]
    seconds: dict[str, float]

    def __str__(self) -> str:
        """Return a few lines for people."""
        longest = ", ".join(f"{name} {value:.0f} s" for name, value in self.longest.items())
        clock = ", ".join(f"{name} {value:.0f} s" for name, value in self.seconds.items())
        return "\n".join([
            f"{sum(self.kills.values())} kills {self.kills}",
            f"stopped and continued {self.stops}, longest {longest}; clock set {self.steps} times",
            f"ended by themselves {self.restarts}",
            f"{self.shoppers} shoppers, answers {self.answers}",
            f"{self.report}",
            clock,
        ])  # fmt: skip


async def rage(plan: Plan, folder: Path, say: Say, then: "Then | None" = None) -> Outcome:
    """Run the plan; raise what is wrong in words. ``say`` is told whatever is done to whom.

    ``then`` is called when all is at rest and known to be right.
    """
    began = time.monotonic()
    with city(folder, plan.brokers) as made:
        async with tended(made):
            await asyncio.to_thread(made.start, 1)
        started = time.monotonic()
        if made.clock is None:
            say("no C compiler (or not Linux): the ingest host's clock is not stepped")
        monkey = Monkey(made, plan.seed, plan.habits, say)
        async with tended(made), shop(made, plan) as front:
            await _scaled(made, monkey, plan)
            await asyncio.to_thread(made.wait_ready)
            raged = time.monotonic()
            monkey.say("all are back")
            async with asyncio.timeout(plan.rest):
                await front.close()
            try:
                verdict = await at_rest(made.settings, front.acknowledged, plan.rest)
                rested = time.monotonic()
                report = await rebuilt(made.settings, verdict)
                mended = time.monotonic()
                if then is not None:
                    monkey.say("all is right")
                    await then(made, front)
            except AssertionError:
                say(await asyncio.to_thread(made.words))
                raise
        return Outcome(
            report, dict(monkey.kills), dict(monkey.stops), monkey.longest,
            monkey.steps, made.restarts, front.shoppers, dict(front.answers),
            {
                "start": started - began, "rage": raged - started,
                "rest": rested - raged, "rebuild": mended - rested,
                "then": time.monotonic() - mended,
            },
        )  # fmt: skip


Then = Callable[[City, Storefront], Awaitable[None]]


async def _scaled(made: City, monkey: Monkey, plan: Plan) -> None:
    """Rage with one worker, then three, then two; the clock is ahead, then behind, then right."""
    kills = plan.kills
    await _phase(monkey, plan, kills // 4, HOUR_MS, "worker")
    made.hire()
    made.hire()
    await _phase(monkey, plan, kills // 2, -HOUR_MS, "loader")
    leaving = made.workers[0]
    # One that was killed a moment ago is no worker yet that could leave in good order.
    await asyncio.to_thread(leaving.wait_ready)
    made.workers.remove(leaving)
    status = await asyncio.to_thread(leaving.stop)
    monkey.say(f"{leaving.name} left with status {status}")
    assert status in {0, FATAL}, leaving.words()
    await _phase(monkey, plan, kills - kills // 4 - kills // 2, 0, "ingest")
    monkey.step(0)


async def _phase(monkey: Monkey, plan: Plan, kills: int, off_ms: int, kind: str) -> None:
    """Set the clock, stop one of the kind for as long as is planned, and rage meanwhile."""
    monkey.step(off_ms)
    if plan.long_stop:
        await monkey.hold(kind, plan.long_stop)
    await monkey.rampage(kills)


@asynccontextmanager
async def shop(made: City, plan: Plan) -> AsyncIterator[Storefront]:
    """Have shoppers come until the storefront is closed."""
    front = Storefront(made.ingest.url, KEY, plan.seed)
    front.open(plan.shoppers_per_second)
    try:
        yield front
    finally:
        await front.end()
