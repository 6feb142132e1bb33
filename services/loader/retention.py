"""What storage forgets with time: raw events as set, roll-ups after 25 months.

Raw events go only where their sums are sealed: an event that no roll-up has counted yet stays,
however old. Those of a source into which an import is under way stay until the next day: it has
stored what it has not folded yet. Sessions, carts, orders and signals stay.
"""

from schemas.spans import DAY_MS
from services.common.ports import Storage
from services.loader.cluster import altered, cluster_of
from services.loader.text import text
from services.rollups.facts import FACTS
from services.rollups.tiers import clean_runs

ROLLUPS_MS = 760 * DAY_MS
"""Twenty-five months."""
SUMMED_MS = ROLLUPS_MS - 2 * DAY_MS
"""So far back all is sealed for certain: what is sealed and what is dropped go by whole days."""


def drop_events(storage: Storage, source: str, before_ms: int, rolled_ms: int = 0) -> int:
    """Drop a source's raw events, flags and dead letters from before a time; return events gone.

    Whole UTC days only, and none that is not sealed. What is older than ``rolled_ms``, as an import
    may be, is never summed, and need not be.
    """
    (row,) = storage.query(text("first", anchor="ts_ms", table="events"), {"source": source})
    first = int(row["first"])
    if not int(row["n"]) or first >= before_ms:
        return 0
    start = min(max(first, rolled_ms), before_ms)
    runs = clean_runs(storage, FACTS["events"], source, "", (start - start % DAY_MS, before_ms))
    sealed_until = next((end for begin, end in runs if begin <= start), start)
    cluster = cluster_of(storage)
    limit = {"source": source, "before": sealed_until - sealed_until % DAY_MS}
    unless = text("unless_importing").strip()
    (gone,) = storage.query(text("events_before", unless_importing=unless), limit)
    for table, column in (
        ("events", "ts_ms"),
        ("event_flags", "ts_ms"),
        ("dead_letters", "received_ms"),
    ):
        where = altered(table, cluster)
        sql = text("drop_before", table=where, column=column, unless_importing=unless)
        storage.command(sql, limit)
    return int(gone["n"])


def drop_rollups(storage: Storage, now_ms: int) -> None:
    """Drop roll-ups, and their seals, older than 25 months; queries then read the rows."""
    before = {"before": now_ms - ROLLUPS_MS}
    cluster = cluster_of(storage)
    storage.command(text("drop_seals", seals=altered("seals", cluster)), before)
    for fact in FACTS.values():
        if not fact.whole:
            rollup = altered(f"rollup_{fact.name}", cluster)
            storage.command(text("drop_rollup", rollup=rollup), before)
