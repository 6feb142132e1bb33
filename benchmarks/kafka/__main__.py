"""Figures of the distributed path on a real broker, each beside its peers: ``make bench-kafka``.

    python -m benchmarks.kafka [--events 500000] [--visits 2000000] [SECTION …]

It starts its own broker, runs the sections named (all, if none is) and prints one table at the end.
Nothing is asserted. "per CPU-s" = events per CPU-second of the process measured, all its threads
and children included, the broker not.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.kafka import fold, ingest, loader, overload, restore, scale, stage, state
from benchmarks.kafka.bench import Bench
from benchmarks.kafka.broker import broker
from benchmarks.kafka.rows import table

SECTIONS: dict[str, Callable[[Bench], None]] = {
    "faust": lambda bench: state.run(bench, state.FAUST),
    "state": lambda bench: state.run(bench, state.STATE),
    "fold": fold.run,
    "ingest": ingest.run,
    "overload": overload.run,
    "stage": stage.run,
    "restore": restore.run,
    "loader": loader.run,
    "scale": scale.run,
}
CACHE = Path(__file__).parents[2] / ".make" / "bench-kafka"


def main() -> int:
    """Read the arguments, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--events", type=int, default=500_000, help="of the shop, in most sections")
    parser.add_argument("--visits", type=int, default=2_000_000, help="events the engines are fed")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load on ingest")
    parser.add_argument("--bootstrap", default="", help="a broker that runs already")
    asked = parser.parse_args()
    unknown = [name for name in asked.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    CACHE.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-kafka-") as folder,
        broker(Path(folder), asked.bootstrap) as bootstrap,
    ):
        bench = Bench(bootstrap, Path(folder), CACHE, asked.events, asked.visits, asked.seconds)
        _run(bench, asked.sections or list(SECTIONS))
    return 0


def _run(bench: Bench, names: list[str]) -> None:
    began = time.monotonic()
    head = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}; {bench.events:,} events in {bench.partitions} partitions"
    )
    print(head, flush=True)
    for name in names:
        print(f"-- {name}", flush=True)
        SECTIONS[name](bench)
    print(f"\n{head}\n{table(bench.rows)}\n")
    print("Figures of a busy machine are to be compared within one run only.")
    print(f"{time.monotonic() - began:.0f} s; load now {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
