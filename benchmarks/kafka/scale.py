"""Section *scale*: what two processes of a part cost beside one, in CPU-seconds an event.

How much faster two are by the wall needs as many free cores as all parts together keep busy; what
two cost more than one does not.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.fold import APPLIED, wait_applied, write
from benchmarks.kafka.ingest import load
from benchmarks.kafka.parts import Part, needs, part
from benchmarks.kafka.process import FailedError, cpu_seconds
from benchmarks.kafka.rows import Row, missing
from services.common.topics import ensure_topics

ASKED = "≤ 1.1 times one's"
RATE = 300.0
"""Requests of 100 events a second, in all: what one process and a busy machine can take."""
MOST = 200_000
SETTLE_SECONDS = 60.0


def run(bench: Bench) -> None:
    """Measure one against two of each part."""
    _compare(bench, "ingest", _ingest)
    _compare(bench, "sessionizer", _fold)


def _compare(bench: Bench, name: str, cost: Callable[[Bench, int], float]) -> None:
    what = f"two {name} processes against one"
    say(what)
    try:
        needs(name)
        one, two = cost(bench, 1), cost(bench, 2)
        other = f"{two / one:.2f} times: {two * 1e6:.1f} against {one * 1e6:.1f} CPU-µs an event"
        row = Row(what, asked=ASKED, other=other)
    except (NeedsError, FailedError) as error:
        row = missing(what, str(error), ASKED)
    bench.rows.append(row)


def _ingest(bench: Bench, count: int) -> float:
    prefix = f"scale-{count}"
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        some = [
            stack.enter_context(part(bench, "ingest", prefix, label=f"-{number}"))
            for number in range(count)
        ]
        for each in some:
            each.wait_ready()

        def all_of(seconds: float) -> float:
            told = pool.map(lambda at: load(bench, at.port, 100, seconds, RATE / count), some)
            return sum(one["requests"] for one in told) * 100

        all_of(2.0)
        before = _cpu(some)
        events = all_of(bench.seconds)
        return (_cpu(some) - before) / events


def _fold(bench: Bench, count: int) -> float:
    prefix = f"scale-{count}"
    asyncio.run(ensure_topics(bench.settings(prefix)))
    with ExitStack() as stack:
        some = [
            stack.enter_context(part(bench, "sessionizer", prefix, label=f"-{number}"))
            for number in range(count)
        ]
        _settled(some, bench.partitions)
        before = _cpu(some)
        events = min(bench.events, MOST)
        log = asyncio.run(write(bench, prefix, events))
        wait_applied(some, log.records - bench.partitions)
        return (_cpu(some) - before) / events


def _settled(some: list[Part], partitions: int) -> None:
    """Wait until every worker owns its share: the second one's coming moves half of all."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        for each in some:
            each.wait_ready()
        owned = [each.count(APPLIED) for each in some]
        if sum(owned) == partitions and all(owned):
            return
        if time.monotonic() > until:
            raise FailedError(f"the workers own {owned} of {partitions} partitions")
        time.sleep(0.2)


def _cpu(some: list[Part]) -> float:
    return sum(cpu_seconds(each.process.pid) for each in some)
