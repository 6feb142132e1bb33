"""DESIGN's law to the end: what differs live is marked, and the rebuild mends all that is marked.

The project's own rebuild of the marked runs once, beside the workers. After it every visitor's
sessions, carts, orders and signals are the batch oracle's: nobody is left out, no mark is left.
"""

import asyncio
from typing import Any

import msgspec

from services.cli.shared import call_shared
from services.common.clickhouse import open_storage
from services.common.ports import nothing
from services.common.settings import Settings
from services.history.rebuild import TABLES
from services.history.stored import TYPES
from services.sessionizer.core.batch import Rows
from tests.chaos.contents import SOURCE
from tests.chaos.verdict import Report, Verdict
from tests.oracle.compare import differences
from tests.oracle.compare import told as by_key


async def rebuilt(settings: Settings, verdict: Verdict) -> Report:
    """Rebuild whom the fold has marked, then hold all of storage against the truth."""
    report = verdict.report
    args = {"source": SOURCE, "marked": True}
    done = await asyncio.to_thread(call_shared, settings, "rebuild", args, nothing)
    assert report.marked == 0 or (done.events and not done.note), done
    report.rebuilt = {
        table: f"{one.new} new, {one.changed} changed, {one.deleted} deleted, {one.same} the same"
        for table, one in done.tables.items()
    }
    stored = await asyncio.to_thread(_stored, settings)
    said = differences(verdict.truth, by_key(stored))
    assert not said, "\n".join(
        [f"{len(said)} differences after the rebuild", *said[:10], f"{done}"]
    )
    assert not stored.flags, f"marked still, {len(stored.flags)} times: {stored.flags[:5]}"
    return report


def _stored(settings: Settings) -> Rows:
    """Return what stands in storage."""
    storage = open_storage(settings.clickhouse, create=False)
    try:
        found: dict[str, list[Any]] = {
            table: msgspec.convert(
                storage.query(f"SELECT * FROM {table} FINAL WHERE source = '{SOURCE}'"),
                list[TYPES[table]],  # type: ignore[valid-type]
                strict=False,
            )
            for table in (*TABLES, "event_flags")
        }
    finally:
        storage.close()
    return Rows(*found.values())
