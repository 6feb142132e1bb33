"""The one thread that writes ``log.db``, and what waits for it.

Rules of this file:

- It takes all that waits, makes records of it, and commits them in one transaction: many requests
  share one fsync.
- ``append_ms = max(the record before, wall clock)``: the log's clock never goes back. While the
  wall clock stands behind it (``behind_ms``), it stands still.
- A tick is written after a second without a record, only while ``accepting``: no ingest, no time.
- A commit that fails (full disk) fails everyone who waited for it and leaves the file as it was;
  the next group tries again.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.event import TICK
from services.common.errors import OverloadedError, UnavailableError, WaymarkError
from services.common.metrics import Metrics
from services.common.ports import RECORD_BYTES, Clock
from services.standalone import group, sqlite
from services.standalone.group import Waiting

STEPS = (
    """
    CREATE TABLE records (
        offset INTEGER PRIMARY KEY, append_ms INTEGER NOT NULL, body BLOB NOT NULL
    );
    CREATE TABLE dead_letters (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL
    );
    """,
)
TICK_SECONDS = 1.0
PAGE_BYTES = 8192

T = TypeVar("T")


class Writer:
    """Writes the log's file, one group after the other.

    ``end`` is the greatest offset written, ``append_ms`` its time: 0 for an empty log. ``trouble``
    says why the newest group could not be written, empty when all is well. ``listeners`` are told,
    in the writer's thread, after each commit.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        on_fatal: Callable[[BaseException], None],
        metrics: Metrics | None,
        limit_bytes: int,
        tick_seconds: float,
    ) -> None:
        """Open or make the file. Raises as ``sqlite.connect`` and ``sqlite.migrate`` do."""
        self._path = path
        self._clock = clock
        self._on_fatal = on_fatal
        self._metrics = metrics
        self._limit = limit_bytes
        self._tick = tick_seconds
        self._connection = sqlite.connect(path, page_bytes=PAGE_BYTES)
        sqlite.migrate(self._connection, STEPS, path)
        self._wake = threading.Condition()
        self._waiting: list[Waiting] = []
        self._jobs: list[Callable[[], None]] = []
        self._bytes = 0
        self._stopping = False
        self._accepting = False
        self._tick_at = time.monotonic() + tick_seconds
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self.listeners: list[Callable[[], None]] = []
        self.trouble = ""
        self.end, self.append_ms = self._newest()

    def _newest(self) -> tuple[int, int]:
        row = self._connection.execute(
            "SELECT offset, append_ms FROM records ORDER BY offset DESC LIMIT 1"
        ).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    # -- from other threads

    def add(self, waiting: Waiting) -> None:
        """Have lines and letters written with the next group; who waits for them is told.

        Raises ``OverloadedError`` where too many bytes wait, ``UnavailableError`` once it closes.
        """
        with self._wake:
            if self._stopping:
                raise UnavailableError(f"{self._path} is closing")
            if self._bytes > self._limit:
                raise OverloadedError(
                    f"{self._bytes} bytes wait for the log, more than {self._limit}"
                )
            if not self._waiting:  # else the writer has been woken, and will take this one as well
                self._wake.notify()
            self._waiting.append(waiting)
            self._bytes += waiting.size()

    def job(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in a transaction of the writer's thread, and return its result.

        Raises what the work does, and ``UnavailableError`` where the file cannot be written now or
        the log closes.
        """
        done: Future[T] = Future()
        with self._wake:
            if self._stopping:
                raise UnavailableError(f"{self._path} is closing")
            self._jobs.append(lambda: self._run_job(work, done))
            self._wake.notify()
        return done.result()

    def accept(self, accepting: bool) -> None:  # noqa: FBT001 - a switch
        """Say whether ingest takes events: only then does time pass on a quiet log."""
        with self._wake:
            self._accepting = accepting
            self._wake.notify()

    def behind_ms(self) -> int:
        """Return by how much the wall clock stands behind the log's clock; 0 when all is well."""
        return max(0, self.append_ms - self._clock.now_ms())

    def stop(self) -> None:
        """Write what waits, then stop; nothing that was taken is left unanswered."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def close(self) -> None:
        """Close the file, once stopped."""
        self._connection.close()

    # -- the thread

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001 - the loop's edge: unknown means the end
            self._on_fatal(error)

    def _turn(self) -> bool:
        """Take what waits and write it; return False when all is written and the log closes."""
        with self._wake:
            self._wake.wait_for(self._has_work, max(0.0, self._tick_at - time.monotonic()))
            waiting, self._waiting = self._waiting, []
            jobs, self._jobs = self._jobs, []
            self._bytes = 0
            ticking, stopping = self._accepting, self._stopping
        if waiting:
            self._write(waiting)
        elif time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + self._tick
            if ticking and not stopping:
                self._write([Waiting(TICK)])
        for job in jobs:
            job()
        return not stopping or bool(waiting) or bool(jobs)

    def _has_work(self) -> bool:
        return bool(self._waiting or self._jobs or self._stopping)

    def _write(self, waiting: list[Waiting]) -> None:
        started = time.perf_counter()
        try:
            result: group.Answer = self._commit(waiting)
            self.trouble = ""
        except UnavailableError as error:
            result = error
            self.trouble = str(error)
        except WaymarkError as error:
            group.answer(waiting, error)
            raise
        self._measure(time.perf_counter() - started)
        group.answer(waiting, result)
        for listener in self.listeners:
            listener()

    def _commit(self, waiting: list[Waiting]) -> int:
        append_ms = max(self.append_ms, self._clock.now_ms())
        packed = group.bodies(waiting, RECORD_BYTES)
        records = [(self.end + n, append_ms, body) for n, body in enumerate(packed, 1)]
        letters = [(x.id, msgspec.json.encode(x)) for entry in waiting for x in entry.letters]
        with sqlite.transaction(self._connection, self._path) as connection:
            connection.executemany("INSERT INTO records VALUES (?, ?, ?)", records)
            if letters:
                connection.executemany(
                    "INSERT OR IGNORE INTO dead_letters (id, body) VALUES (?, ?)", letters
                )
        if records:
            self.end, self.append_ms = records[-1][0], append_ms
            self._tick_at = time.monotonic() + self._tick
        return append_ms

    def _run_job(self, work: Callable[[sqlite3.Connection], T], done: Future[T]) -> None:
        try:
            with sqlite.transaction(self._connection, self._path) as connection:
                result = work(connection)
        except UnavailableError as error:
            done.set_exception(error)
        except BaseException as error:
            done.set_exception(error)
            raise
        else:
            done.set_result(result)

    def _measure(self, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.observe("waymark_log_append_seconds", seconds)
            self._metrics.set("waymark_log_end_offset", self.end)
            self._metrics.set("waymark_log_clock_behind_seconds", self.behind_ms() / 1000)
