"""How fast the core folds, beside a loop that only decodes and counts; all on one core.

    python -m benchmarks.core [--events 100000] [--visitors 50000] [--resting 110000]

What is timed: typed decode, admission, settling, every rule, rows as JSON, states encoded; a
transaction is taken every 25 records of 400 events. Events a second are per CPU-second. The
collector is set as a long-lived process should set it: what lives on frozen, passes rare. The
first events look cheap: half of them still wait for their grace, and no row is due yet.

Memory and start are measured in processes of their own, with two thirds and all of the visitors
at rest, and carried on to a million by the difference: so two thirds must be more than the
overlay holds (32,768), which does not grow.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import msgspec

from benchmarks.core_shop import START_MS, records
from benchmarks.figures import figure
from schemas.event import Event
from services.common.ports import Changes, LogRecord
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules

TAKE_EVERY = 25
MILLION = 1_000_000
RESTING_RECORD = 200
MIB = 1 << 20


class States:
    """States at rest in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return a state's bytes."""
        return self.kept.get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Return all states."""
        return iter(self.kept.items())

    def commit(self, changes: Changes) -> None:
        """Store what changed."""
        for key, data in changes.states.items():
            if data is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = data


def calm_collector() -> None:
    """Freeze what is alive and look for cycles rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def fold(log: list[LogRecord], marks: list[int]) -> tuple[States, dict[int, float], int]:
    """Fold a log; return the states, CPU-seconds by the events folded so far, and rows emitted."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    spent: dict[int, float] = {}
    rows = events = 0
    start = time.process_time()
    for number, record in enumerate(log, 1):
        partition.apply(record)
        events += record.body.count(b"\n") + 1
        if number % TAKE_EVERY == 0 or number == len(log):
            changes = partition.take()
            states.commit(changes)
            partition.committed()
            rows += sum(map(len, changes.rows.values()))
        if events in marks:
            spent[events] = time.process_time() - start
    return states, spent, rows


def count_only(log: list[LogRecord]) -> float:
    """Return the CPU-seconds of the baseline: typed decode, one counter a visitor."""
    decoder = msgspec.json.Decoder(Event)
    counters: dict[str, int] = {}
    start = time.process_time()
    for record in log:
        for event in decoder.decode_lines(record.body):
            counters[event.visitor_id] = counters.get(event.visitor_id, 0) + 1
    return time.process_time() - start


def _resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def resting_log(visitors: int) -> Iterator[LogRecord]:
    """Yield records in which each visitor looks at a page and puts a thing aside."""
    line = (
        b'{"type":"page_view","event_id":"%032x","source":"shop","visitor_id":"%016x-%08x",'
        b'"ts_ms":%d,"path":"/p/%d","page_kind":"product","channel":"direct","device":"mobile"}\n'
        b'{"type":"cart_add","event_id":"%032x","source":"shop","visitor_id":"%016x-%08x",'
        b'"ts_ms":%d,"currency":"EUR","products":[{"product_id":"p-%d","price":1999}]}'
    )
    for place in range(0, visitors, RESTING_RECORD):
        now = START_MS + place * 4
        yield LogRecord(
            place + 1,
            now + 100,
            b"\n".join(
                line % (at, at * 7919, at, now, at % 500, at << 64, at * 7919, at, now + 50, at)
                for at in range(place, place + RESTING_RECORD)
            ),
        )


def rest(visitors: int) -> dict[str, float]:
    """Return bytes and start seconds for so many live visitors, in this fresh process."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    before = _resident_bytes()
    tick = LogRecord(visitors * 2, START_MS + visitors * 4 + 60_000, b'{"type":"__tick"}')
    for record in chain(resting_log(visitors), [tick]):  # never the whole log in memory
        partition.apply(record)
        changes = partition.take()
        states.commit(changes)
        partition.committed()
    used = _resident_bytes() - before
    start = time.process_time()
    Partition(lambda _: rules, states, changes.meta)
    taken = time.process_time() - start
    sizes = sorted(map(len, states.kept.values()))
    return {"bytes": used, "start": taken, "median": sizes[len(sizes) // 2], "n": len(sizes)}


def _measure_rest(visitors: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.core", "--rest", str(visitors)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def report(events: int, visitors: int, resting: int) -> None:
    """Measure and print the table."""
    log = records(events, visitors)
    calm_collector()
    marks = [mark for mark in (10_000, 100_000, MILLION) if mark < events] + [events]
    baseline = count_only(log)
    states, spent, rows = fold(log, marks)
    sizes = sorted(map(len, states.kept.values()))
    seconds = spent[events]
    _row("events", f"{events:,} of {visitors:,} visitors, {rows / events:.2f} rows an event")
    _row("core: decode, admit, fold, encode", f"{events / seconds:,.0f} events/s a core")
    baseline_rate = f"{events / baseline:,.0f} (decode, count)"
    figure("core, every rule, events/s a core", f"{events / seconds:,.0f}", "", baseline_rate)
    _row("baseline: decode, count", f"{events / baseline:,.0f} events/s a core")
    _row("core / baseline, CPU", f"{seconds / baseline:.1f} x")
    for since, mark in pairwise([0, *marks]):
        cost = (spent[mark] - spent.get(since, 0.0)) / (mark - since)
        _row(f"cost an event, {since:,} to {mark:,}", f"{cost * 1e6:.1f} us")
    last = sizes[-1], sizes[len(sizes) * 99 // 100], sizes[len(sizes) // 2]
    _row("state in mid-visit: median, p99, max", f"{last[2]}, {last[1]}, {last[0]} bytes")
    few, many = _measure_rest(resting * 2 // 3), _measure_rest(resting)
    each = (many["bytes"] - few["bytes"]) / (many["n"] - few["n"])
    million = many["bytes"] + each * (MILLION - many["n"])
    _row("state of a visitor with a cart", f"{many['median']:.0f} bytes")
    start = many["start"] * MILLION / many["n"]
    _row("1 million live visitors, states in memory", f"{million / MIB:,.0f} MiB")
    _row("start with 1 million visitors", f"{start:.1f} s")
    figure("core, 1 million live visitors", f"{million / MIB:,.0f} MiB", "<= 1,024 MiB")
    figure("core, start with 1 million visitors", f"{start:.1f} s", "<= 15 s")


def _row(what: str, figure: str) -> None:
    print(f"{what:<42} {figure}")


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--visitors", type=int, default=50_000)
    parser.add_argument("--resting", type=int, default=110_000)
    parser.add_argument("--rest", type=int, default=0, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.rest:
        print(json.dumps(rest(flags.rest)))
    else:
        report(flags.events, flags.visitors, flags.resting)


if __name__ == "__main__":
    main()
