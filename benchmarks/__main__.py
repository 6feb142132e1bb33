"""All benchmarks, one after the other, and at the end one table: seen, asked for, baseline.

    python -m benchmarks [NAME …]

Each runs in a process of its own, so that none inherits another's memory. Nothing is asserted: the
figures to reach stand in docs/design.md, the ones last seen, and where the time goes, in
docs/figures.md.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import PLACE, read, table

BENCHMARKS = {
    "normalise": "What a storefront sends, to the canonical event",
    "core": "The fold with every rule",
    "flat": "The fold, as events add up",
    "ingest": "HTTP to the durable log",
    "standalone": "One process: POST to queryable",
    "holds": "One process: what stands still for a forget and a rebuild",
    "queries": "Metrics over a year's sessions",
}
WIDTH = 88


def main() -> int:
    """Run the benchmarks named, or all, and return the number that failed."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "figures"
        failed = sum(_run(name, place) for name in names)
        print(f"\n{'-- all figures ':-<{WIDTH}}")
        print("\n".join(table(read(place))))
    return failed


def _run(name: str, place: Path) -> bool:
    load = os.getloadavg()[0]
    print(f"\n{f'-- {name}: {BENCHMARKS[name]} (load {load:.1f}) ':-<{WIDTH}}", flush=True)
    started = time.monotonic()
    environ = {**os.environ, PLACE: str(place)}
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, check=False, env=environ)
    if done.returncode:
        print(f"failed with status {done.returncode} after {time.monotonic() - started:.0f} s")
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
