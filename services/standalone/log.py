"""``log.db``: the log of one process. What ``publish`` returned is on disk.

Rules of this file:

- One thread writes. It takes all that waits, makes records of it, and commits them in one
  transaction: many requests share one fsync.
- ``append_ms = max(the record before, wall clock)``: the log's clock never goes back. While the
  wall clock stands behind it (``behind_ms``), it stands still.
- A tick is written after a second without a record, only while ``accepting``: no ingest, no time.
- A commit that fails (full disk) fails everyone who waited for it and leaves the file as it was;
  the next group tries again.
- The newest record is never trimmed: it carries the clock and the end over a restart.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.event import TICK
from schemas.rows import DeadLetter
from services.common.errors import OverloadedError, UnavailableError, WaymarkError
from services.common.metrics import Metrics
from services.common.ports import RECORD_BYTES, Clock, Outgoing
from services.standalone import group, sqlite
from services.standalone.group import Waiting
from services.standalone.log_file import LogFile

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
TRIM_RECORDS = 200
"""Records forgotten in one transaction: publishers wait a few milliseconds behind it at most."""
SHRINK_PAGES = 2_000

T = TypeVar("T")


class SqliteLog(LogFile):
    """The ``EventLog`` and ``DeadLetters`` ports over one SQLite file.

    ``on_fatal`` is told of an error that nobody can mend while the process runs (a corrupt file).
    ``trouble`` says why the newest group could not be written, empty when all is well.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        on_fatal: Callable[[BaseException], None],
        metrics: Metrics | None = None,
        limit_bytes: int = 64 * 1024 * 1024,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """Open or make the file and start the writer thread."""
        self._clock = clock
        self._on_fatal = on_fatal
        self._metrics = metrics
        self._limit = limit_bytes
        self._tick = tick_seconds
        self._writer = sqlite.connect(path, page_bytes=PAGE_BYTES)
        sqlite.migrate(self._writer, STEPS, path)
        super().__init__(path)
        self._wake = threading.Condition()
        self._waiting: list[Waiting] = []
        self._jobs: list[Callable[[], None]] = []
        self._bytes = 0
        self._stopping = False
        self._held = 0
        self._accepting = False
        self._tick_at = time.monotonic() + tick_seconds
        self.trouble = ""
        self._end, self._append_ms = self._newest()
        self._listeners: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def _newest(self) -> tuple[int, int]:
        row = self._writer.execute(
            "SELECT offset, append_ms FROM records ORDER BY offset DESC LIMIT 1"
        ).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    # -- the writing end

    async def publish(self, items: Sequence[Outgoing]) -> int:
        """Make the items durable, in order, and return their append time.

        Raises ``UnavailableError`` (none of them was written) or ``OverloadedError``.
        """
        task: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._enqueue(Waiting(b"\n".join([item.line for item in items]), (), task))
        return await task

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Make refused items durable; one whose id is kept already changes nothing."""
        task: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._enqueue(Waiting(b"", letters, task))
        await task

    def append(self, items: Sequence[Outgoing]) -> int:
        """Do as ``publish`` does, for a thread of its own: wait until the items are durable."""
        thread: Future[int] = Future()
        self._enqueue(Waiting(b"\n".join([item.line for item in items]), (), None, thread))
        return thread.result()

    def accept(self, accepting: bool) -> None:  # noqa: FBT001 - a switch
        """Say whether ingest takes events: only then does time pass on a quiet log."""
        with self._wake:
            self._accepting = accepting
            self._wake.notify()

    def _enqueue(self, waiting: Waiting) -> None:
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

    # -- where it stands

    def end(self) -> int:
        """Return the greatest offset written, 0 for an empty log."""
        return self._end

    def append_ms(self) -> int:
        """Return the log's own clock: the newest record's append time, 0 for an empty log."""
        return self._append_ms

    def behind_ms(self) -> int:
        """Return by how much the wall clock stands behind the log's clock; 0 when all is well."""
        return max(0, self._append_ms - self._clock.now_ms())

    def on_append(self, listener: Callable[[], None]) -> None:
        """Have a listener told, in the writer's thread, after each commit; it must not block."""
        self._listeners.append(listener)

    # -- upkeep, in the writer's thread so that there is one writer

    def trim(self, up_to: int) -> int:
        """Forget records up to and including the offset, but never the newest one.

        While the log is held, nothing is forgotten.
        """
        if self._held:
            return 0
        last = min(up_to, self._end - 1)
        gone = 0
        while went := self.job(lambda connection: _trim(connection, last)):
            gone += went
        while gone and self.job(_shrink):
            pass
        return gone

    def drop_dead_letters(self, up_to: int) -> bool:
        """Forget dead letters up to a sequence number, since storage has them; not while held."""
        if self._held:
            return False
        self.job(lambda db: db.execute("DELETE FROM dead_letters WHERE seq <= ?", (up_to,)))
        return True

    def overwrite(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        """Replace the bodies of records by offset, so that nothing of the old ones is left."""
        for start in range(0, len(bodies), TRIM_RECORDS):
            some = bodies[start : start + TRIM_RECORDS]
            self.job(partial(_overwrite, some))
        while self.job(_shrink):
            pass
        self.checkpoint()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Let nothing be forgotten during a block: a backup copies the log after all else."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def job(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run work in a transaction of the writer's thread, and return its result."""
        done: Future[T] = Future()
        with self._wake:
            if self._stopping:
                raise UnavailableError(f"{self._path} is closing")
            self._jobs.append(lambda: self._run_job(work, done))
            self._wake.notify()
        return done.result()

    def close(self) -> None:
        """Write what waits, then stop; nothing that was taken is left unanswered."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        self.close_reader()
        self._writer.close()

    # -- the writer's thread

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
        for listener in self._listeners:
            listener()

    def _commit(self, waiting: list[Waiting]) -> int:
        append_ms = max(self._append_ms, self._clock.now_ms())
        packed = group.bodies(waiting, RECORD_BYTES)
        records = [(self._end + n, append_ms, body) for n, body in enumerate(packed, 1)]
        letters = [(x.id, msgspec.json.encode(x)) for entry in waiting for x in entry.letters]
        with sqlite.transaction(self._writer, self._path) as connection:
            connection.executemany("INSERT INTO records VALUES (?, ?, ?)", records)
            if letters:
                connection.executemany(
                    "INSERT OR IGNORE INTO dead_letters (id, body) VALUES (?, ?)", letters
                )
        if records:
            self._end, self._append_ms = records[-1][0], append_ms
            self._tick_at = time.monotonic() + self._tick
        return append_ms

    def _run_job(self, work: Callable[[sqlite3.Connection], T], done: Future[T]) -> None:
        try:
            with sqlite.transaction(self._writer, self._path) as connection:
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
            self._metrics.set("waymark_log_end_offset", self._end)
            self._metrics.set("waymark_log_clock_behind_seconds", self.behind_ms() / 1000)


def _trim(connection: sqlite3.Connection, last: int) -> int:
    return connection.execute(
        "DELETE FROM records WHERE offset IN "
        "(SELECT offset FROM records WHERE offset <= ? ORDER BY offset LIMIT ?)",
        (last, TRIM_RECORDS),
    ).rowcount


def _overwrite(bodies: Sequence[tuple[int, bytes]], connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete=ON").fetchall()
    connection.executemany(
        "UPDATE records SET body = ? WHERE offset = ?", [(body, at) for at, body in bodies]
    )
    connection.execute("PRAGMA secure_delete=FAST").fetchall()


def _shrink(connection: sqlite3.Connection) -> int:
    """Give free pages back to the disk; return how many are left."""
    connection.execute(f"PRAGMA incremental_vacuum({SHRINK_PAGES})").fetchall()
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
