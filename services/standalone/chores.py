"""Chores on storage: retention of raw events, sealing of settled buckets, the nightly rebuild."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.common.catalog import Catalog
from services.common.ports import Clock, Storage
from services.loader.seal import seal
from services.standalone.log import SqliteLog

RAW_TABLES = ("events", "event_flags")
"""What is kept ``events_keep_days``; rows and roll-ups made of it stay."""

OLD_MONTHS = """
SELECT DISTINCT partition FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active
  AND toUnixTimestamp64Milli(toDateTime64(addMonths(
      parseDateTime(concat(partition, '01'), '%Y%m%d', 'UTC'), 1), 3, 'UTC')) <= {before:Int64}
ORDER BY partition
"""


class RawRetention:
    """Drops months of raw events all of which are older than ``keep_ms`` on the log's clock."""

    def __init__(self, storage: Storage, log: SqliteLog, keep_ms: int) -> None:
        """Keep this much of this storage's raw events."""
        self._storage = storage
        self._log = log
        self._keep_ms = keep_ms

    def run(self) -> list[str]:
        """Drop what is old; return ``TABLE MONTH`` of each that went."""
        before = self._log.append_ms() - self._keep_ms
        gone = []
        for table in RAW_TABLES:
            for row in self._storage.query(OLD_MONTHS, {"table": table, "before": before}):
                month = int(row["partition"])
                self._storage.command(f"ALTER TABLE {table} DROP PARTITION {month}")
                gone.append(f"{table} {month}")
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
