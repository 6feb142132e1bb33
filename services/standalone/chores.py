"""Chores on storage: retention, sealing of settled buckets, the nightly rebuild."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.common.catalog import Catalog
from services.common.ports import Clock, Storage
from services.loader.retention import drop_events, drop_rollups
from services.loader.seal import seal
from services.standalone.log import SqliteLog

DAY_MS = 86_400_000


class StorageRetention:
    """Forgets raw events ``keep_ms`` old and roll-ups of 25 months, on the log's clock.

    Once a UTC day, since whole days go; after the sealing, since only what is sealed does.
    """

    def __init__(self, storage: Storage, catalog: Catalog, log: SqliteLog, keep_ms: int) -> None:
        """Keep this much of the raw events of every source of this catalog."""
        self._storage = storage
        self._catalog = catalog
        self._log = log
        self._keep_ms = keep_ms
        self._day = -1

    def run(self) -> int:
        """Drop what is old; return how many raw events went."""
        now_ms = self._log.append_ms()
        if now_ms // DAY_MS == self._day:
            return 0
        before_ms = now_ms - self._keep_ms
        sources = self._catalog.sources()
        gone = sum(drop_events(self._storage, one.name, before_ms) for one in sources)
        drop_rollups(self._storage, now_ms)
        self._day = now_ms // DAY_MS
        return gone


class Sealing:
    """Sums buckets that nothing live can change any more (DESIGN, *Two tiers for reading*)."""

    def __init__(self, storage: Storage, catalog: Catalog, log: SqliteLog) -> None:
        """Seal every source of this catalog, as of the log's clock."""
        self._storage = storage
        self._catalog = catalog
        self._log = log

    def run(self) -> int:
        """Seal what is due; return how many buckets."""
        now_ms = self._log.append_ms()
        sources = self._catalog.sources()
        return sum(seal(self._storage, one.name, one.timezone, now_ms) for one in sources)


class Nightly:
    """Rebuilds what late events have marked, once a night, when a source's shoppers sleep.

    Also a while after a start, for a machine that is switched off at night.
    """

    HOUR = 3
    AFTER_START_MS = 5 * 60_000

    def __init__(
        self, run: Callable[[str, dict[str, Any]], Any], catalog: Catalog, clock: Clock
    ) -> None:
        """Rebuild through this runner of commands."""
        self._run = run
        self._catalog = catalog
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._done: dict[str, str] = {}

    def run(self) -> list[str]:
        """Rebuild the sources whose night has come; return their names."""
        now_ms = self._clock.now_ms()
        if now_ms - self._started_ms < self.AFTER_START_MS:
            return []
        due = [
            one
            for one in self._catalog.sources()
            if self._night(one.timezone, now_ms) != self._done.get(one.name)
        ]
        for source in due:
            self._run("rebuild", {"source": source.name, "marked": True})
            self._done[source.name] = self._night(source.timezone, now_ms)
        return [source.name for source in due]

    def _night(self, zone: str, now_ms: int) -> str:
        """Return the night a time belongs to: a new one begins at three in the morning."""
        there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        return (there - timedelta(hours=self.HOUR)).date().isoformat()
