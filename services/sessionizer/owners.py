"""The partitions that this worker owns, through every rebalance of its group.

A rebalance goes: ``freeze`` (all is stored, nothing more is folded), then ``assign`` (what went is
dropped, what came is fenced and restored), then records come again from where the group's offsets
say. Partitions that are kept keep their states; what they have folded already is skipped.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from services.common import logging
from services.common.ports import PartitionMeta
from services.common.settings import Settings
from services.common.topics import topic_name
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import Rules, Time
from services.sessionizer.effects import Effects
from services.sessionizer.owner import Held, Owner, place
from services.sessionizer.poison import Home, Limit
from services.sessionizer.restore import Restored, ends_of, restore, settled_ends
from services.sessionizer.states import States
from services.sessionizer.tally import Tally

STARTS = 16
"""So many producers start at once: each asks the brokers three things."""

Commit = Callable[[dict[int, int]], Awaitable[bool]]
"""Tell the group where to begin to read again, next offset by partition; whether it has heard."""


class Owners:
    """All owned partitions of one worker. ``moving`` from ``freeze`` to the end of ``assign``.

    ``changed`` is set whenever it owns others than before.
    """

    def __init__(self, settings: Settings, rules: Rules, time_: Time, tally: Tally) -> None:
        """Own nothing yet."""
        self._settings = settings
        self._rules = rules
        self._time = time_
        self._tally = tally
        self._generation = 0
        self._told: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.by_number: dict[int, Owner] = {}
        self.moving = True
        self.moving_since = time.monotonic()
        self.closed = False
        self.changed = asyncio.Event()

    def live(self, number: int) -> Owner | None:
        """Return the owner of a partition that folds now, None where it is not here."""
        owner = self.by_number.get(number)
        return None if owner is None or owner.frozen else owner

    def every(self) -> list[Owner]:
        """Return the owners that fold now."""
        return [owner for owner in self.by_number.values() if not owner.frozen]

    def asked(self, number: int) -> Owner | None:
        """Return the owner of a partition that can be asked now, None where none can."""
        owner = self.live(number)
        return None if owner is None or owner.behind else owner

    def answering(self) -> list[Owner]:
        """Return the owners that can be asked now."""
        return [owner for owner in self.every() if not owner.behind]

    def changelog_end(self, number: int) -> int:
        """Return the end of a partition's changelog as of the last rebalance."""
        return self._ends[number]

    # -- a rebalance

    async def freeze(self) -> None:
        """Store all that is folded and fold no more. Raises what a fenced producer raises."""
        self.moving, self.moving_since = True, time.monotonic()
        owners = self.every()
        for owner in owners:
            owner.frozen = True
        await asyncio.gather(*(owner.flush() for owner in owners))

    async def assign(self, numbers: Iterable[int], generation: int) -> None:
        """Own exactly these partitions from now on."""
        if self.closed:
            return
        wanted = set(numbers)
        if generation != self._generation + 1:
            # A generation went by without us: what we hold may have been another's meanwhile.
            await self._drop(set(self.by_number))
        self._generation = generation
        await self._drop(set(self.by_number) - wanted)
        await self._take_over(wanted - set(self.by_number))
        self._ends = await settled_ends(self._settings, "states", wanted)
        for owner in self.by_number.values():
            owner.frozen = owner.sure = False
        self.moving = False
        self.changed.set()
        logging.get("sessionizer").info("owns", partitions=sorted(wanted), generation=generation)

    async def _drop(self, numbers: set[int]) -> None:
        for number in numbers:
            owner = self.by_number.pop(number)
            self._told.pop(number, None)
            self._tally.gone(number)
            await owner.close()

    async def _take_over(self, numbers: set[int]) -> None:
        if not numbers:
            return
        effects = {number: Effects(self._settings, number) for number in numbers}
        some = asyncio.Semaphore(STARTS)
        await asyncio.gather(*(_start(one, some) for one in effects.values()))
        ends = await ends_of(self._settings, "events", numbers)
        found = await restore(self._settings, numbers, self._tally.restoring)
        for number, one in found.items():
            # In a thread: it reads the head of every state, and health is asked meanwhile.
            effect, end = effects[number], ends[number]
            owner = await asyncio.to_thread(self._own, number, one, effect, end)
            self.by_number[number] = owner
            logging.get("sessionizer").info("restored", **place(owner))

    def _own(self, number: int, found: Restored, effects: Effects, end: int) -> Owner:
        partitions = self._settings.kafka_partitions
        meta = found.meta or PartitionMeta(applied=-1, partitions=partitions)
        states = States(found.states)
        return Owner(
            Held(
                number=number,
                fold=Partition(
                    self._rules, states, meta, time=self._time, elsewhere=Home(number, partitions)
                ),
                states=states,
                effects=effects,
                meta=meta,
                topic=topic_name(self._settings, "events"),
                end=end,
            ),
            Limit(self._settings.poison_share, found.poison),
            self._tally,
        )

    # -- between rebalances

    def drain(self) -> None:
        """Begin to store the groups that have waited long enough. Raises what one has raised."""
        for owner in self.every():
            if owner.due:
                owner.store()
            self._tally.standing(owner.number, owner.applied, len(owner.states), owner.states.bytes)

    async def tell(self, commit: Commit) -> None:
        """Tell the group how far each partition is applied, where that has changed."""
        reached = {number: owner.applied + 1 for number, owner in self.by_number.items()}
        changed = {n: to for n, to in reached.items() if to and self._told.get(n) != to}
        if changed and await commit(changed):
            self._told |= changed

    async def close(self) -> None:
        """Store all that is folded, and own nothing new."""
        self.closed = True
        await self.freeze()

    async def stop(self) -> None:
        """Stop every producer, after the group was left."""
        await self._drop(set(self.by_number))


async def _start(effects: Effects, some: asyncio.Semaphore) -> None:
    async with some:
        await effects.start()
