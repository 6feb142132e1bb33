"""Whether an event costs the fold the same, however many came before it.

    python -m benchmarks.flat [--events 1000000] [--visitors 50000]

The log of ``core_shop`` is made as it is read, so that ten million events (``--events 10000000``)
fit in memory; only the fold's own CPU-time counts. Each sample is the second half of the way to
10 thousand, 100 thousand, 1 million and 10 million events: the first looks cheap, for many of its
events still wait and few rows are due yet.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import islice

from benchmarks.core import TAKE_EVERY, States, calm_collector
from benchmarks.core_shop import RECORD, lines
from benchmarks.figures import figure
from services.common.ports import LogRecord
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules

MARKS = (10_000, 100_000, 1_000_000, 10_000_000)


def log(events: int, visitors: int) -> Iterator[LogRecord]:
    """Yield the log record by record, appended 150 ms after their newest event."""
    made, offset = lines(events, visitors), 0
    while batch := list(islice(made, RECORD)):
        offset += 1
        yield LogRecord(offset, batch[-1][0] + 150, b"\n".join(line for _, line in batch))


def samples(events: int, visitors: int) -> Iterator[tuple[int, float]]:
    """Yield each mark with the CPU-seconds an event of the stretch from half of it."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    folded, spent = 0, 0.0
    since = {half: (0, 0.0) for mark in MARKS if (half := mark // 2) < events}
    for record in log(events, visitors):
        start = time.process_time()
        partition.apply(record)
        if record.offset % TAKE_EVERY == 0:
            states.commit(partition.take())
            partition.committed()
        spent += time.process_time() - start
        before, folded = folded, folded + record.body.count(b"\n") + 1
        for half in since:
            if before < half <= folded:
                since[half] = (folded, spent)
        for mark in MARKS:
            if before < mark <= folded:
                count, seconds = since[mark // 2]
                yield mark, (spent - seconds) / (folded - count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--visitors", type=int, default=50_000)
    flags = parser.parse_args()
    calm_collector()
    found: list[str] = []
    for mark, cost in samples(flags.events, flags.visitors):
        found.append(f"{cost * 1e6:.1f}")
        print(f"cost an event up to {mark:>10,} {found[-1]:>8} us", flush=True)
    figure("an event after 10 k, 100 k, 1 M … others", " / ".join(found) + " us", "flat")


if __name__ == "__main__":
    main()
