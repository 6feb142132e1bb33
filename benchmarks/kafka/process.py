"""A process that is measured: its lines of output, and the CPU-seconds it has used."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from msgspec import Struct

TICK = os.sysconf("SC_CLK_TCK")


class FailedError(Exception):
    """What was to be measured did not do its work; the message says how."""


class Reading(Struct, frozen=True):
    """One line told by a process, with the clocks as of then."""

    told: dict[str, Any]
    wall: float
    cpu: float


def cpu_seconds(pid: int) -> float:
    """Return the CPU-seconds of a process, all its threads, and its children, living or ended."""
    return sum(_own(each) for each in [pid, *_descendants(pid)])


def _own(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICK


def _descendants(pid: int) -> Iterator[int]:
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield int(child)
            yield from _descendants(int(child))


class Process:
    """A started process; what it prints as JSON lines can be waited for."""

    def __init__(self, command: Sequence[str], log: Path, **options: Any) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, **options
            )
        self.pid = self._process.pid
        self._lines: Queue[Reading | None] = Queue()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                reading = Reading(json.loads(line), time.monotonic(), cpu_seconds(self.pid))
                self._lines.put(reading)
        self._lines.put(None)

    def next(self, seconds: float) -> Reading:
        """Wait for the next line; raises ``FailedError`` where none comes."""
        try:
            found = self._lines.get(timeout=seconds)
        except Empty:
            raise FailedError(f"said nothing for {seconds:.0f} s{self._tail()}") from None
        if found is None:
            raise FailedError(f"ended with status {self._process.wait()}{self._tail()}")
        return found

    def _tail(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""

    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and end it where it does not."""
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def running(command: Sequence[str], log: Path, **options: Any) -> Iterator[Process]:
    """Start a process and end it whatever happens."""
    process = Process(command, log, **options)
    try:
        yield process
    finally:
        process.stop()


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Return the command kept to one core of those allowed, where the machine has several."""
    if not hasattr(os, "sched_getaffinity"):
        return list(command)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1 or not Path("/usr/bin/taskset").exists():
        return list(command)
    return ["/usr/bin/taskset", "-c", str(cores[core % len(cores)]), *command]
