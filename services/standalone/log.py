"""``log.db``: the log of one process. What ``publish`` returned is on disk.

One thread writes (``log_writer.py``), others read (``log_file.py``). The newest record is never
trimmed: it carries the clock and the end over a restart.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from schemas.rows import DeadLetter
from services.common.metrics import Metrics
from services.common.ports import Clock, Outgoing
from services.standalone.group import Waiting
from services.standalone.log_file import LogFile
from services.standalone.log_writer import TICK_SECONDS, Writer

TRIM_RECORDS = 200
"""Records forgotten in one transaction: publishers wait a few milliseconds behind it at most."""
SHRINK_PAGES = 2_000

T = TypeVar("T")


class SqliteLog(LogFile):
    """``Publisher``, ``LogReader`` and ``DeadLetters`` over one SQLite file.

    ``on_fatal`` is told of an error that nobody can mend while the process runs (a corrupt file).
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
        """Open or make the file and start the writer's thread."""
        self._writer = Writer(
            path,
            clock,
            on_fatal=on_fatal,
            metrics=metrics,
            limit_bytes=limit_bytes,
            tick_seconds=tick_seconds,
        )
        super().__init__(path)
        self._held = 0
        self._writer.start()

    # -- the writing end

    async def publish(self, items: Sequence[Outgoing]) -> int:
        """Make the items durable, in order, and return their append time.

        Raises ``UnavailableError`` (none of them was written) or ``OverloadedError``.
        """
        task: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._writer.add(Waiting(b"\n".join([item.line for item in items]), (), task))
        return await task

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Make refused items durable; one whose id is kept already changes nothing."""
        task: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._writer.add(Waiting(b"", letters, task))
        await task

    def append(self, items: Sequence[Outgoing]) -> int:
        """Do as ``publish`` does, for a thread of its own: wait until the items are durable."""
        thread: Future[int] = Future()
        self._writer.add(Waiting(b"\n".join([item.line for item in items]), (), None, thread))
        return thread.result()

    def accept(self, accepting: bool) -> None:  # noqa: FBT001 - a switch
        """Say whether ingest takes events: only then does time pass on a quiet log."""
        self._writer.accept(accepting)

    # -- where it stands

    @property
    def trouble(self) -> str:
        """Why the newest group could not be written, empty when all is well."""
        return self._writer.trouble

    def end(self) -> int:
        """Return the greatest offset written, 0 for an empty log."""
        return self._writer.end

    def append_ms(self) -> int:
        """Return the log's own clock: the newest record's append time, 0 for an empty log."""
        return self._writer.append_ms

    def behind_ms(self) -> int:
        """Return by how much the wall clock stands behind the log's clock; 0 when all is well."""
        return self._writer.behind_ms()

    def on_append(self, listener: Callable[[], None]) -> None:
        """Have a listener told, in the writer's thread, after each commit; it must not block."""
        self._writer.listeners.append(listener)

    # -- upkeep, in the writer's thread so that there is one writer

    def trim(self, up_to: int) -> int:
        """Forget records up to and including the offset, but never the newest one.

        While the log is held, nothing is forgotten.
        """
        if self._held:
            return 0
        last = min(up_to, self._writer.end - 1)
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
        """Run work in a transaction of the writer's thread, and return its result.

        Raises what the work does, and ``UnavailableError`` where the file cannot be written now or
        the log closes.
        """
        return self._writer.job(work)

    def close(self) -> None:
        """Write what waits, then stop; nothing that was taken is left unanswered."""
        self._writer.stop()
        self.close_reader()
        self._writer.close()


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
