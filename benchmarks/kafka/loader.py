"""Section *loader*: the events of a shop's log from their topic into embedded ClickHouse."""

import asyncio
import time

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.fold import write
from benchmarks.kafka.parts import Part, needs, part
from benchmarks.kafka.process import FailedError, cpu_seconds
from benchmarks.kafka.rows import Row, missing

WHAT = "loader, rows from the topic into ClickHouse"
ASKED = "≥ 200,000 rows/s"
PREFIX = "loader"
ROWS = "waymark_loader_rows_total"
STUCK_SECONDS = 60.0


def run(bench: Bench) -> None:
    """Write a log and time its loading."""
    say(WHAT)
    try:
        needs("loader")
        asyncio.run(write(bench, PREFIX, bench.events))
        storage = f"chdb://{bench.folder / 'loader-clickhouse'}"
        with part(bench, "loader", PREFIX, CLICKHOUSE=storage) as loader:
            row = _measure(loader, bench.events)
    except (NeedsError, FailedError) as error:
        row = missing(WHAT, str(error), ASKED)
    bench.rows.append(row)


def _measure(loader: Part, events: int) -> Row:
    first = _wait(loader, 1)
    last = _wait(loader, events)
    done = last[0] - first[0]
    if done <= 0:
        raise FailedError("all was loaded at the first look: give it more events")
    wall, core = done / (last[1] - first[1]), done / (last[2] - first[2])
    return Row(WHAT, wall, core, ASKED, "storage runs within the process and counts")


def _wait(loader: Part, wanted: int) -> tuple[float, float, float]:
    before, moved = -1.0, time.monotonic()
    while True:
        rows = loader.metric(ROWS)
        now = time.monotonic()
        if rows >= wanted:
            return rows, now, cpu_seconds(loader.process.pid)
        if rows > before:
            before, moved = rows, now
        if not loader.process.alive():
            loader.process.next(1.0)
        if now - moved > STUCK_SECONDS:
            raise FailedError(f"stands at {rows:,.0f} of {wanted:,} rows")
        time.sleep(0.02)
