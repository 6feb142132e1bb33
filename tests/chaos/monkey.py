"""Who kills, stops, restarts, and sets the ingest host's clock: all by the dice of one seed."""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence

from msgspec import Struct

from tests.chaos.city import City
from tests.chaos.part import Part

HOUR_MS = 3_600_000
STEPS_MS = (0, HOUR_MS, 0, -HOUR_MS, 0, 5_000, 0, -5_000, 0, -3 * HOUR_MS)
"""How far off the clock is set: beyond the grace, and once beyond what a visitor's stub lives."""
IN_SYNC_SECONDS = 3.0
"""What a broker gets, once it is back, to copy what it has missed."""


class Habits(Struct, frozen=True):
    """How often, how long and whom. Seconds; ``weights`` by kind of part."""

    pause: tuple[float, float] = (0.8, 3.2)
    away: tuple[float, float] = (0.0, 1.5)
    stops: float = 0.15
    stopped: tuple[float, float] = (0.5, 4.0)
    long_stops: float = 0.0
    long_stopped: tuple[float, float] = (12.0, 20.0)
    again: float = 0.1
    steps: float = 0.0
    weights: tuple[tuple[str, int], ...] = (
        ("worker", 5), ("ingest", 3), ("loader", 3), ("storage", 2), ("broker", 1)
    )  # fmt: skip


class Monkey:
    """``kills`` and ``stops`` count the blows by kind of part, ``longest`` has seconds stopped.

    ``steps`` counts how often the clock was set.
    """

    def __init__(self, city: City, seed: int, habits: Habits, say: Callable[[str], None]) -> None:
        self._city = city
        self._dice = random.Random(f"monkey/{seed}")
        self._habits = habits
        self._tell = say
        self._began = time.monotonic()
        self._healing: set[asyncio.Task[None]] = set()
        self.kills: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.longest: dict[str, float] = {}
        self.steps = 0

    async def rampage(self, kills: int) -> None:
        """Go on until so many more were killed, and all they were are running again."""
        wanted = self.kills.total() + kills
        while self.kills.total() < wanted:
            await asyncio.sleep(self._dice.uniform(*self._habits.pause))
            self._heal()
            if self._dice.random() < self._habits.steps:
                self.step(self._dice.choice(STEPS_MS))
            victim = self._choose()
            if victim is not None:
                await self._strike(victim)
        await asyncio.gather(*self._healing)

    def step(self, off_ms: int) -> None:
        """Set the ingest host's clock so far off the truth, where it can be set."""
        if self._city.clock is not None:
            self._city.clock.step(off_ms)
            self.steps += 1
            self.say(f"the ingest host's clock is {off_ms} ms off")

    async def hold(self, kind: str, seconds: float) -> None:
        """Stop one of a kind for so long, whatever the dice say, as soon as one runs."""
        while not (standing := self._standing(kind)):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.1)
        await self._stop(standing[0], seconds)

    def _standing(self, kind: str) -> list[Part]:
        return [one for one in self._of(kind) if one.wanted and not one.frozen]

    def _choose(self) -> Part | None:
        """Return one that runs; of brokers, only where all of them do."""
        kinds, weights = zip(*self._habits.weights, strict=True)
        kind = self._dice.choices(kinds, weights)[0]
        standing = self._standing(kind)
        hurt = len(standing) < len(self._of(kind))
        if not standing or (kind == "broker" and hurt):
            return None
        return self._dice.choice(standing)

    def _of(self, kind: str) -> Sequence[Part]:
        city = self._city
        every: dict[str, Sequence[Part]] = {
            "worker": city.workers, "ingest": [city.ingest], "loader": [city.loader],
            "storage": [city.storage], "broker": city.brokers,
        }  # fmt: skip
        return every[kind]

    async def _strike(self, victim: Part) -> None:
        roll, habits = self._dice.random(), self._habits
        if roll < habits.long_stops:
            await self._stop(victim, self._dice.uniform(*habits.long_stopped))
        elif roll < habits.long_stops + habits.stops:
            await self._stop(victim, self._dice.uniform(*habits.stopped))
        else:
            await self._kill(victim)

    async def _kill(self, victim: Part) -> None:
        kind = victim.name.partition("-")[0]
        await asyncio.to_thread(victim.kill)
        self.kills[kind] += 1
        self.say(f"killed {victim.name} ({self.kills.total()})")
        again = self._dice.random() < self._habits.again and kind != "broker"
        self._later(self._back(victim, self._dice.uniform(*self._habits.away)))
        if again:  # it dies while it starts
            await asyncio.sleep(self._habits.away[1] + self._dice.uniform(0.2, 0.8))
            if victim.wanted:
                await asyncio.to_thread(victim.kill)
                self.kills[kind] += 1
                self.say(f"killed {victim.name} as it started ({self.kills.total()})")
                self._later(self._back(victim, 0.0))

    async def _stop(self, victim: Part, seconds: float) -> None:
        victim.frozen = True
        victim.send(signal.SIGSTOP)
        kind = victim.name.partition("-")[0]
        self.stops[kind] += 1
        self.longest[kind] = max(seconds, self.longest.get(kind, 0.0))
        self.say(f"stopped {victim.name} for {seconds:.1f} s")
        self._later(self._go_on(victim, seconds))

    async def _back(self, part: Part, seconds: float) -> None:
        await asyncio.sleep(seconds)
        part.frozen = part in self._city.brokers  # of three, one at a time
        part.start()
        if part.frozen:
            await asyncio.to_thread(part.wait_ready)
            await asyncio.sleep(IN_SYNC_SECONDS)
            part.frozen = False

    async def _go_on(self, part: Part, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if part.frozen:
            part.send(signal.SIGCONT)
            part.frozen = False

    def _later(self, work: Coroutine[None, None, None]) -> None:
        self._healing.add(asyncio.create_task(work))

    def _heal(self) -> None:
        """Raise what any recovery raised."""
        for task in [task for task in self._healing if task.done()]:
            task.result()
            self._healing.discard(task)

    def say(self, what: str) -> None:
        """Tell what happens, and when."""
        self._tell(f"{time.monotonic() - self._began:6.1f} s  {what}")
