"""A whole run: the city starts, shoppers come, the monkey rages, and the verdict is reached."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from tests.chaos.city import KEY, City, city, tended
from tests.chaos.monkey import Habits, Monkey
from tests.chaos.part import FATAL
from tests.chaos.storefront import Storefront
from tests.chaos.verdict import Report, at_rest

Say = Callable[[str], None]


class Plan(Struct, frozen=True):
    """What a run does; seconds."""

    seed: int
    kills: int
    brokers: int = 1
    shoppers_per_second: float = 5.0
    habits: Habits = Habits()
    rest: float = 150.0


class Outcome(Struct):
    """What a run saw."""

    report: Report
    kills: dict[str, int]
    stops: dict[str, int]
    restarts: list[tuple[str, int]]
    shoppers: int
    answers: dict[str, int]
    seconds: dict[str, float]

    def __str__(self) -> str:
        """Return a few lines for people."""
        clock = ", ".join(f"{name} {value:.0f} s" for name, value in self.seconds.items())
        return "\n".join([
            f"{sum(self.kills.values())} kills {self.kills}, stopped and continued {self.stops}",
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
        await asyncio.to_thread(made.start, 1)
        started = time.monotonic()
        monkey = Monkey(made, plan.seed, plan.habits, say)
        async with tended(made), shop(made, plan) as front:
            await _scaled(made, monkey, plan.kills)
            await asyncio.to_thread(made.wait_ready)
            raged = time.monotonic()
            monkey.say("all are back")
            async with asyncio.timeout(plan.rest):
                await front.close()
            try:
                report = await at_rest(made.settings, front.acknowledged, plan.rest)
            except AssertionError:
                say(await asyncio.to_thread(made.words))
                raise
            rested = time.monotonic()
            if then is not None:
                await then(made, front)
        return Outcome(
            report, dict(monkey.kills), dict(monkey.stops), made.restarts, front.shoppers,
            dict(front.answers),
            {
                "start": started - began, "rage": raged - started,
                "rest": rested - raged, "then": time.monotonic() - rested,
            },
        )  # fmt: skip


Then = Callable[[City, Storefront], Awaitable[None]]


async def _scaled(made: City, monkey: Monkey, kills: int) -> None:
    """Rage with one worker, then three, then two."""
    await monkey.rampage(kills // 4)
    made.hire()
    made.hire()
    await monkey.rampage(kills // 2)
    leaving = made.workers[0]
    # One that was killed a moment ago is no worker yet that could leave in good order.
    await asyncio.to_thread(leaving.wait_ready)
    made.workers.remove(leaving)
    status = await asyncio.to_thread(leaving.stop)
    monkey.say(f"{leaving.name} left with status {status}")
    assert status in {0, FATAL}, leaving.words()
    await monkey.rampage(kills - kills // 4 - kills // 2)


@asynccontextmanager
async def shop(made: City, plan: Plan) -> AsyncIterator[Storefront]:
    """Have shoppers come until the storefront is closed."""
    front = Storefront(made.ingest.url, KEY, plan.seed)
    front.open(plan.shoppers_per_second)
    try:
        yield front
    finally:
        await front.end()
