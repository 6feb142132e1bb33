"""One owned partition: its fold, its states at rest, and the transactions between them.

For each group of records (see ``group.py``, or 100 ms), in this order:

1. Each record is screened and folded; the fold's overlay holds what changed.
2. What changed is taken, with the meta that says how far it goes.
3. One transaction holds all of it: states, outputs, forwards, dead letters, meta.
4. Only after its commit the states at rest are swapped, and the fold lets go of the overlay.
5. The group's offset may follow, up to ``applied``; it only says where to begin to read again.

Records are folded on while a transaction is under way; there is one at a time. Whatever fails
from 1 on is fatal: the next owner reads the same records again.
"""

import asyncio
import time
from typing import Any

import msgspec
from msgspec import Struct

from services.common.ports import META_SECONDS, Changes, LogRecord, PartitionMeta
from services.sessionizer.core.admission import Poison
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.schedule import SLICE
from services.sessionizer.effects import POISON_KEY, Effects
from services.sessionizer.group import Group
from services.sessionizer.poison import Limit, letter, unfit
from services.sessionizer.states import States
from services.sessionizer.tally import FoldTally, Tally
from services.sessionizer.watches import Watches

BEHIND_SECONDS = 30.0
"""So long a partition taken over refuses look-ups while it reads what its former owner had folded.

That is about as much of the log as waits for its grace; after a longer absence old answers are
better than none.
"""


class Held(Struct):
    """What a partition is made of when it is taken over."""

    number: int
    fold: Partition
    states: States
    effects: Effects
    meta: PartitionMeta
    topic: str
    end: int


class Owner:
    """The owner of one partition. Everything but the transaction happens without waiting.

    ``last`` is the newest record folded, ``applied`` the newest that need not be read again.
    ``steps`` grows as the fold goes on. ``clock_ms`` is the clock up to which all that it did is
    stored, what it sent on included: the reading side goes by it.
    ``frozen`` while the group rebalances: nothing is folded then. ``sure`` once it is known that no
    record lies unread before the next one.
    """

    def __init__(self, held: Held, limit: Limit, tally: Tally) -> None:
        """Go on after the meta's applied record."""
        self.number = held.number
        self.fold = held.fold
        self.states = held.states
        self.last = self.applied = held.meta.applied
        self.steps = 0
        self.clock_ms = held.fold.clock_ms
        self.frozen = True
        self.sure = False
        self.watches = Watches()
        self._effects = held.effects
        self._topic = held.topic
        self._end = held.end
        self._limit = limit
        self._tally = tally
        self._counted = FoldTally(tally.metrics, held.fold.tally)
        self._letters: list[bytes] = []
        self._group = Group()
        self._saved_at = time.monotonic()
        self._behind_until = self._saved_at + BEHIND_SECONDS
        self._under_way: asyncio.Task[None] | None = None

    # -- folding

    def take(self, offset: int, append_ms: int, value: bytes | None) -> None:
        """Fold one record; one that was folded before changes nothing.

        Raises ``FatalError`` where too much of what comes is poison.
        """
        if offset <= self.last:
            return
        self._group.add(value)
        reason = unfit(value)
        if reason:
            # The clock goes on and the place is noted: an empty record does both.
            self.fold.apply(LogRecord(offset, append_ms, b""), SLICE)
            poisons = [Poison(offset, 0, reason, value or b"")]
        else:
            poisons = self.fold.apply(LogRecord(offset, append_ms, value or b""), SLICE)
        self.last = offset
        self.steps += 1
        self._judge(poisons, append_ms, is_tick=value is not None and _is_tick(value))

    def _judge(self, poisons: list[Poison], append_ms: int, *, is_tick: bool) -> None:
        for one in poisons:
            self._letters.append(letter(self._topic, self.number, one, append_ms))
            self._tally.poison()
        if not is_tick:
            self._limit.count(self.last, bad=bool(poisons))

    # -- effects

    @property
    def behind(self) -> bool:
        """Tell whether the state is older than what its former owner may have answered."""
        if self.last < self._end - 1 and time.monotonic() < self._behind_until:
            return True
        self._end = 0
        return False

    @property
    def due(self) -> bool:
        """Tell whether the group has waited long enough, or what was to be stored has failed.

        Where brokers are away no record comes any more, and ``store`` has to raise it all the same.
        """
        task = self._under_way
        failed = task is not None and task.done() and task.exception() is not None
        return failed or self._group.due

    @property
    def waiting_seconds(self) -> float:
        """Return for how long the oldest record of the group has waited to be stored."""
        return self._group.age

    async def room_for(self, value: bytes | None) -> bool:
        """Do the rest of what is due; have the group stored where it is too full for a record.

        Returns whether the record may be taken now: the group may have begun to rebalance.
        """
        while self.fold.more_due and self.sure and not self.frozen:
            await self._slice()
        while not self._group.fits(value):
            await self._room()
        return self.sure and not self.frozen

    async def _slice(self) -> None:
        """Do some of what is due, let the loop turn, and have a full group stored."""
        self.fold.fire(SLICE)
        self.steps += 1
        self._group.add_due(SLICE)
        await asyncio.sleep(0)
        if self._group.full:
            await self._room()

    async def _room(self) -> None:
        if self._under_way is not None:
            await self._under_way
        self.store()

    def store(self, *, always: bool = False) -> None:
        """Begin to store the group, unless one is under way; ``always``: be it empty."""
        if self._under_way is not None and not self._under_way.done():
            return
        if self._under_way is not None:
            self._under_way.result()
        # Taken at once, not when the task begins: on a busy loop the group would grow meanwhile.
        self._group = Group()
        clock_ms, changes = self.fold.clock_ms, self._take(always=always)
        self._under_way = None
        if changes is None:
            self.clock_ms = clock_ms
        else:
            self._under_way = asyncio.create_task(self._save(changes, clock_ms))

    async def flush(self) -> None:
        """Store all that is folded, and the meta in any case: a fenced owner learns of it here."""
        if self._under_way is not None:
            await self._under_way
        self.store(always=True)
        if self._under_way is not None:
            await self._under_way

    async def stored(self) -> int:
        """Have all that is folded by now stored, for who asks; return the newest of its records.

        What a failed transaction raises is raised here too; the worker ends of it by itself.
        """
        last = self.last
        if self._under_way is not None:
            await asyncio.shield(self._under_way)
        if self._group.records:
            self.store()
        if self._under_way is not None:
            await asyncio.shield(self._under_way)
        return last

    def _take(self, *, always: bool) -> Changes | None:
        """Return what is to be stored now, None where it may wait."""
        changes = self.fold.take()
        if self._letters:
            rows = changes.rows | {"dead_letters": self._letters}
            changes = msgspec.structs.replace(changes, rows=rows)
            self._letters = []
        meta_due = time.monotonic() - self._saved_at >= META_SECONDS
        if changes.states or changes.rows or changes.forwards or meta_due or always:
            return changes
        self.fold.committed()
        return None

    async def _save(self, changes: Changes, clock_ms: int) -> None:
        began = time.monotonic()
        await self._effects.write(changes, self._limit.changed(POISON_KEY))
        self.states.commit(changes.states)
        self.watches.note(changes.states)
        self.fold.committed()
        self.applied, self.clock_ms = changes.meta.applied, clock_ms
        self._saved_at = time.monotonic()
        self._tally.stored(changes, self._saved_at - began)
        self._counted.tell()

    async def close(self) -> None:
        """Stop the producer; what is not stored is the next owner's to make again."""
        await self._effects.stop()


def _is_tick(value: bytes) -> bool:
    return value.startswith(b'{"type":"__tick"')


def place(owner: Owner) -> dict[str, Any]:
    """Return where an owner stands, for the log."""
    return {"partition": owner.number, "applied": owner.applied, "states": len(owner.states)}
