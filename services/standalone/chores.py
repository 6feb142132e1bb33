"""Chores on storage: old raw events go by whole months, settled buckets are sealed."""

from services.common.catalog import Catalog
from services.common.ports import Storage
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
