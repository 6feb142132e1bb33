"""A file streamed, imported and rebuilt gives the same rows, one by one.

The stream goes through the log, the fold and the loader; the import through storage and the batch
fold; the rebuild through the stream's own stored events. The clock is moved past every hold.
"""

import itertools
import uuid
from pathlib import Path
from typing import Any, TypeGuard

import msgspec
import pytest

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from schemas.refusal import Refusal
from services.cli.shift import shifted, time_of
from services.common.ports import Outgoing, nothing
from services.common.sites import site_of
from services.demo.journeys import visits
from services.formats.files import read_lines
from services.formats.items import Item
from services.formats.numbering import numbered
from services.formats.registry import format_named
from services.history.rebuild import TABLES
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import import_file, rebuild_source
from services.standalone.parts import Parts
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TICK = [Outgoing("", "", b'{"type":"__tick"}')]


def day_of_visits(count: int, seed: int) -> list[dict[str, Any]]:
    """Return the simulated shop's events over about a day, in the order of their times."""
    events = []
    for number, steps in enumerate(itertools.islice(visits(seed), count)):
        at_ms = START_MS + number * 6 * 60_000
        for step in steps:
            # Pauses are stretched, so that the default policy closes and abandons in between.
            at_ms += step.after_ms * 40
            events.append({"ts_ms": at_ms, **step.event})
    return sorted(events, key=lambda event: event["ts_ms"])


def write_file(folder: Path, events: list[dict[str, Any]]) -> Path:
    file = folder / "events.ndjson"
    file.write_bytes(b"\n".join(msgspec.json.encode(event) for event in events))
    return file


def stream(parts: Parts, clock: ManualClock, items: list[Item], *, at_once: bool) -> None:
    """Send items at their own times, or all of them now, links and orders on their way at once."""
    source = parts.catalog.source("shop")
    assert source is not None
    site = site_of(source, parts.rules("shop").policy)
    size = 500 if at_once else 1
    for start in range(0, len(items), size):
        some = items[start : start + size]
        if not at_once:
            clock.move(max(0, (time_of(some[0]) or 0) - clock.now_ms()))
        context = Context(site=site, received_ms=clock.now_ms(), new_id=lambda: str(uuid.uuid4()))
        found = [prepare(msgspec.json.encode(item.item), context) for item in some]
        lines = [Outgoing("shop", one.address, one.line) for one in found if fine(one)]
        parts.log.append(lines)
        while parts.engine.lag():
            parts.engine.sessionizer.turn()
            parts.engine.sessionizer.flush()
            parts.engine.forwarder.turn()


def fine(found: Prepared | Refusal) -> TypeGuard[Prepared]:
    assert isinstance(found, Prepared), found
    return True


def let_time_pass(parts: Parts, clock: ManualClock) -> None:
    """Move nine days on, then every ten seconds until the stall's hold is over."""
    clock.move(9 * DAY_MS)
    for _ in range(120):
        parts.log.append(TICK)
        clock.move(10_000)
    parts.engine.catch_up()


def read(file: Path, form: str) -> list[Item]:
    return [one for one in numbered(format_named(form)(read_lines(file))) if isinstance(one, Item)]


def check_three_ways(file: Path, dsn: str, name: str, *, at_once: bool) -> dict[str, int]:
    """Stream, rebuild and import; return how many rows each table came to."""
    items = read(file, "waymark")
    times = [at for item in items if (at := time_of(item)) is not None]
    clock = ManualClock(max(times) if at_once else min(times))
    with installation(file.parent / "stream", dsn, f"{name}_stream", clock) as parts:
        stream(parts, clock, items, at_once=at_once)
        let_time_pass(parts, clock)
        streamed = {table: rows(parts.storage, table) for table in TABLES}
        context = AdminContext(parts=parts, progress=nothing, running=False)
        rebuilt = rebuild_source(context, {}).tables
    with installation(file.parent / "import", dsn, f"{name}_import", clock) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        assert import_file(context, {"file": str(file)}).rejected == 0
        imported = {table: rows(parts.storage, table) for table in TABLES}
    for table in TABLES:
        assert streamed[table] == imported[table], table
        change = rebuilt[table]
        assert (change.new, change.changed, change.deleted) == (0, 0, 0), (table, change)
        assert change.same == len(streamed[table])
    return {table: len(streamed[table]) for table in TABLES}


@pytest.mark.parametrize("at_once", [False, True], ids=["paced", "at once"])
def test_the_simulated_shop(tmp_path: Path, chdb_dsn: str, at_once: bool) -> None:
    file = write_file(tmp_path, day_of_visits(220, seed=7))
    name = f"three_{'once' if at_once else 'paced'}"
    counts = check_three_ways(file, chdb_dsn, name, at_once=at_once)
    assert all(counts.values()), counts


def test_the_public_shop_at_full_speed_shifted_to_now(
    tmp_path: Path, chdb_dsn: str, test_data: Path
) -> None:
    original = read(test_data / "rees46-2019-oct.csv.gz", "rees46")
    times = [at for item in original if (at := time_of(item)) is not None]
    moved = shifted(original, START_MS - max(times))
    items = [one for one in moved if isinstance(one, Item)]
    file = write_file(tmp_path, [item.item for item in items])
    counts = check_three_ways(file, chdb_dsn, "three_public", at_once=True)
    assert counts["sessions"] == 4518
    assert counts["orders"] == 214
