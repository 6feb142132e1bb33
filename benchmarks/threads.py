"""Where the processor time of ``waymark run`` goes: by thread and part, microseconds an event.

Every request of a steady load is a batch of 100, sent as fast as it is answered. A part is a few
methods; what they call of another part counts there. Times are the threads' own processor time, so
waiting (for the disk, for the interpreter's lock) is not in them; what the embedded engine does in
threads of its own is one line. The meter itself costs about a microsecond a call of a part.

    python -m benchmarks.threads [--seconds 10]
"""

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.standalone import REQUESTS, flood, running, serve
from services.common.clickhouse import ClickHouse
from services.ingest.intake import Intake
from services.loader.event_columns import EventRows
from services.loader.marks import MarkingSink
from services.sessionizer.core.partition import Partition
from services.standalone.log_file import LogFile
from services.standalone.state_store import SqliteStates

PARTS: tuple[tuple[type, str, str], ...] = (
    (Intake, "take", "normalise"),
    (LogFile, "read", "read the log"),
    (Partition, "apply", "fold"),
    (Partition, "take", "encode states"),
    (Partition, "committed", "fold"),
    (SqliteStates, "commit", "store states"),
    (SqliteStates, "rows", "outbox"),
    (SqliteStates, "arrived", "outbox"),
    (EventRows, "add", "event rows"),
    (EventRows, "arrow", "event rows"),
    (MarkingSink, "insert", "marks"),
)
WARM_SECONDS = 2.0
LEAST = 0.05
"""Microseconds an event below which a part is not shown."""


class Meter:
    """Adds up the processor time of each thread by part, and counts the calls."""

    def __init__(self) -> None:
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.calls: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._own = threading.local()

    def timed(self, part: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as part of a part."""

        def metered(*args: Any, **named: Any) -> Any:
            outer = self._enter(part)
            try:
                return inner(*args, **named)
            finally:
                self._leave(outer)

        return metered

    def insert(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return storage's insert, each table a part of its own."""

        def metered(storage: Any, table: str, *args: Any) -> Any:
            return self.timed(f"insert {table}", inner)(storage, table, *args)

        return metered

    def _enter(self, part: str) -> str:
        outer: str = getattr(self._own, "part", "")
        self._charge(outer)
        self._own.part = part
        self.calls[threading.current_thread().name, part] += 1
        return outer

    def _leave(self, outer: str) -> None:
        self._charge(self._own.part)
        self._own.part = outer

    def _charge(self, part: str) -> None:
        now = time.thread_time()
        if part:
            self.spent[threading.current_thread().name, part] += now - self._own.since
        self._own.since = now

    def look(self) -> dict[str, Any]:
        """Return all that was spent so far."""
        names = {one.native_id: one.name for one in threading.enumerate()}
        threads: defaultdict[str, float] = defaultdict(float)
        for task in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                name = (task / "comm").read_text().strip()
                nanoseconds = int((task / "schedstat").read_text().split()[0])
                threads[names.get(int(task.name), f"engine: {name}")] += nanoseconds / 1e9
        return {
            "process": time.process_time(),
            "threads": threads,
            "parts": [[*key, seconds, self.calls[key]] for key, seconds in self.spent.items()],
        }


def measured(data: Path, port: int, place: Path) -> int:
    """Be the process measured: its figures are in a file, anew each half second."""
    meter = Meter()
    for owner, method, part in PARTS:
        setattr(owner, method, meter.timed(part, getattr(owner, method)))
    setattr(ClickHouse, "insert", meter.insert(ClickHouse.insert))  # noqa: B010 - as the others

    def tell() -> None:
        while True:
            time.sleep(0.5)
            fresh = place.with_suffix(".new")
            fresh.write_text(json.dumps(meter.look()))
            fresh.replace(place)

    threading.Thread(target=tell, name="meter", daemon=True).start()
    return serve(data, port)


def look(place: Path) -> dict[str, Any]:
    """Return the process's figures as of now."""
    time.sleep(1.5)
    found: dict[str, Any] = json.loads(place.read_text())
    found["parts"] = {(thread, part): (s, n) for thread, part, s, n in found["parts"]}
    return found


def show(before: dict[str, Any], after: dict[str, Any], events: float) -> None:
    """Print the table."""
    whole = (after["process"] - before["process"]) / events * 1e6
    print(f"{'the process':34}{whole:8.1f} us an event")
    rest = whole
    for thread, seconds in after["threads"].items():
        took = (seconds - before["threads"].get(thread, 0.0)) / events * 1e6
        rest -= took
        if took < LEAST:
            continue
        print(f"{thread:34}{took:8.1f}")
        for (of, part), (spent, calls) in sorted(after["parts"].items()):
            if of == thread:
                was, made = before["parts"].get((of, part), (0.0, 0))
                each = (spent - was) / events * 1e6
                took -= each
                print(f"    {part:30}{each:8.1f}   in {calls - made:,} calls")
        print(f"    {'the rest':30}{took:8.1f}")
    print(f"{'threads that have ended':34}{rest:8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--serve", nargs=3, metavar=("DATA", "PORT", "PLACE"))
    options = parser.parse_args()
    if options.serve:
        data, port, place = options.serve
        raise SystemExit(measured(Path(data), int(port), Path(place)))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "meter.json"
        command = [sys.executable, "-m", "benchmarks.threads", "--serve"]
        with running(Path(name) / "data", command, str(place)) as process:
            flood(process, WARM_SECONDS)
            before = look(place)
            found = flood(process, options.seconds, REQUESTS)
            show(before, look(place), found["events"])
        print(f"{found['events']:,.0f} events, {found['queryable/s']:,.0f}/s until queryable")


if __name__ == "__main__":
    main()
