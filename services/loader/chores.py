"""Chores on storage: sealing of settled buckets, and retention. One process does them at a time."""

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.spans import DAY_MS, HOUR_MS
from services.common.catalog_rows import Source
from services.common.ports import Storage
from services.loader.retention import SUMMED_MS, drop_events, drop_rollups
from services.loader.seal import seal

LogClock = Callable[[], int]
"""The log's clock, epoch milliseconds."""


LATE_MS = 98 * HOUR_MS
"""So long raw events stay however few days are kept: until none that is taken (72 hours late at
most) can change their sums."""


class Sources(Protocol):
    """Whoever knows the storefronts."""

    def sources(self) -> Sequence[Source]:
        """Return all of them."""
        ...


class StorageRetention:
    """Forgets raw events ``keep_ms`` old and roll-ups of 25 months, on the log's clock.

    Once a UTC day, since whole days go; after the sealing, since only what is sealed does.
    """

    def __init__(self, storage: Storage, catalog: Sources, clock: LogClock, keep_ms: int) -> None:
        """Keep this much of the raw events of every source of this catalog."""
        self._storage = storage
        self._catalog = catalog
        self._clock = clock
        self._keep_ms = keep_ms
        self._day = -1

    def run(self) -> int:
        """Drop what is old; return how many raw events went."""
        now_ms = self._clock()
        if now_ms // DAY_MS == self._day:
            return 0
        before_ms = now_ms - max(self._keep_ms, LATE_MS)
        sources = self._catalog.sources()
        rolled_ms = now_ms - SUMMED_MS
        gone = sum(drop_events(self._storage, one.name, before_ms, rolled_ms) for one in sources)
        drop_rollups(self._storage, now_ms)
        self._day = now_ms // DAY_MS
        return gone


class Sealing:
    """Sums buckets that nothing live can change any more (DESIGN, *Two tiers for reading*)."""

    def __init__(self, storage: Storage, catalog: Sources, clock: LogClock) -> None:
        """Seal every source of this catalog, as of the log's clock."""
        self._storage = storage
        self._catalog = catalog
        self._clock = clock

    def run(self) -> int:
        """Seal what is due; return how many buckets."""
        now_ms = self._clock()
        sources = self._catalog.sources()
        return sum(seal(self._storage, one.name, one.timezone, now_ms) for one in sources)
