"""Section *scale*: what two processes of a part cost beside one, in CPU-seconds an event.

How much faster two are by the wall needs as many free cores as all parts together keep busy; what
two cost more than one does not.

Each of the two gets what the one gets. What a request to a broker costs, and what a process does
once or each second, is shared by fewer events where it sees less: that is the price of a lower
load, whoever takes the rest. Of ingest, how many events a batch held is told on the way, so that
one sees whether the loads were alike.

A worker is measured from owning its partitions to having applied the whole of its log: its start
does not count, and what it costs to wait until the next poll does. The log is made before and sent
at once, since making it meanwhile would take a core from the workers. Until *all* of it is applied:
an event costs most when it settles, so one that was only read would look cheap.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.fold import shop, until_owned, wait_applied, write
from benchmarks.kafka.ingest import load
from benchmarks.kafka.parts import Part, needs, part
from benchmarks.kafka.process import FailedError, cpu_seconds
from benchmarks.kafka.rows import Row, missing
from services.common.topics_made import ensure_topics

ASKED = "≤ 1.1 times one's"
RATE = 150.0
"""Requests of 100 events a second for each process: what two and a busy machine can take."""
BATCHES = "waymark_log_append_seconds_count"
GROUPS = "waymark_sessionizer_transaction_seconds_count"
MOST = 200_000
"""Events of a shop for each worker."""
SETTLE_SECONDS = 60.0
ROUNDS = 3


def run(bench: Bench) -> None:
    """Measure one against two of each part."""
    _compare(bench, "ingest", _ingest)
    _compare(bench, "sessionizer", _fold)


def _compare(bench: Bench, name: str, cost: Callable[[Bench, int, str], float]) -> None:
    """Take turns: what a CPU-second is worth changes from minute to minute on a shared machine."""
    what = f"two {name} processes against one"
    say(what)
    try:
        needs(name)
        pairs = [[cost(bench, n, f"scale-{name}-{at}-{n}") for n in (1, 2)] for at in range(ROUNDS)]
        one, two = (median(each) * 1e6 for each in zip(*pairs, strict=True))
        ratios = sorted(pair[1] / pair[0] for pair in pairs)
        all_of = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        other = (
            f"{median(ratios):.2f} times ({all_of}): {two:.1f} against {one:.1f} CPU-µs an event"
        )
        row = Row(what, asked=ASKED, other=other)
    except (NeedsError, FailedError) as error:
        row = missing(what, str(error), ASKED)
    bench.rows.append(row)


def _ingest(bench: Bench, count: int, prefix: str) -> float:
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        some = [
            stack.enter_context(part(bench, "ingest", prefix, label=f"-{number}"))
            for number in range(count)
        ]
        for each in some:
            each.wait_ready()

        def all_of(seconds: float) -> float:
            told = pool.map(lambda at: load(bench, at.port, 100, seconds, RATE), some)
            return sum(one["requests"] for one in told) * 100

        all_of(2.0)
        before, batches = _cpu(some), _batches(some)
        events = all_of(bench.seconds)
        spent, batches = _cpu(some) - before, _batches(some) - batches
        cost = spent / events
        say(f"{count}: {events / batches:.0f} events a batch, {cost * 1e6:.1f} CPU-µs an event")
        return cost


def _fold(bench: Bench, count: int, prefix: str) -> float:
    asyncio.run(ensure_topics(bench.settings(prefix)))
    with ExitStack() as stack:
        some = [
            stack.enter_context(part(bench, "sessionizer", prefix, label=f"-{number}"))
            for number in range(count)
        ]
        # The second one's coming moves half of all.
        until_owned(some, bench.partitions, SETTLE_SECONDS)
        records = list(shop(min(bench.events, MOST) * count, bench.partitions))
        before, groups = _cpu(some), _groups(some)
        log = asyncio.run(write(bench, prefix, records))
        spent = wait_applied(some, log)[2] - before
        held = log.events / (_groups(some) - groups)
        cost = spent / log.events
        say(f"{count}: {held:.0f} events a transaction, {cost * 1e6:.1f} CPU-µs an event")
        return cost


def _groups(some: list[Part]) -> float:
    return sum(each.metric(GROUPS) for each in some)


def _batches(some: list[Part]) -> float:
    return sum(each.metric(BATCHES) for each in some)


def _cpu(some: list[Part]) -> float:
    return sum(cpu_seconds(each.process.pid) for each in some)
