"""SQLite as both databases use it: durable, one writer, errors told by what a caller can do."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import FatalError, UnavailableError

BUSY_SECONDS = 30.0
"""How long a connection waits for another's write; only commands beside a process ever wait."""

PASSING = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
    }
)
"""Primary result codes of a full or failing disk: it may work later, and nothing is corrupt."""


def connect(path: Path, *, page_bytes: int = 4096) -> sqlite3.Connection:
    """Open a database that survives power loss after each commit (WAL, ``synchronous=FULL``).

    The connection may pass between threads; whoever shares it brings the lock. Transactions are
    explicit (``transaction``).
    """
    with translated(path):
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in (
            f"page_size={page_bytes}",
            "auto_vacuum=INCREMENTAL",
            "journal_mode=WAL",
            "synchronous=FULL",
            "journal_size_limit=67108864",
            "temp_store=MEMORY",
            "secure_delete=FAST",  # costs nothing, and leaves less for `waymark forget` to find
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        return connection


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...], path: Path) -> None:
    """Bring a database to the newest form: each step once, its number kept in ``user_version``.

    Raises ``FatalError`` where a newer version wrote it.
    """
    with translated(path):
        (done,) = connection.execute("PRAGMA user_version").fetchone()
        if done > len(steps):
            raise FatalError(
                f"{path} was written by a newer version (form {done}, known {len(steps)})"
            )
        for number, step in enumerate(steps[done:], done + 1):
            connection.executescript(f"BEGIN;\n{step}\nPRAGMA user_version={number};\nCOMMIT;")


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """Run a block as one durable transaction; after an error nothing of it remains."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ``UnavailableError`` (may pass) or ``FatalError`` (will not)."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in PASSING:
            raise UnavailableError(f"{path}: {error}") from error
        raise FatalError(f"{path}: {error}") from error


def copy_packed(source: Path, target: Path) -> None:
    """Write what a database holds, and nothing it once held, to a new file; durable at return."""
    with translated(source):
        reading = sqlite3.connect(source, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            reading.execute("VACUUM INTO ?", (str(target),))
        finally:
            reading.close()
    _sync(target)


def remove(path: Path) -> None:
    """Remove a database that nobody has open, with what a crash may have left beside it."""
    for beside in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + beside).unlink(missing_ok=True)


def emptied(connection: sqlite3.Connection) -> bool:
    """Bring all of the write-ahead log into the database; False where a reader is in the way."""
    connection.execute("PRAGMA busy_timeout=100").fetchall()
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}").fetchall()
    return not busy


def replace(fresh: Path, path: Path) -> None:
    """Put a closed database in the place of another, which is closed too; durable at return."""
    fresh.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy(source: Path, target: Path) -> None:
    """Write a copy of a database as it stands at one moment; its writer goes on meanwhile."""
    with translated(source):
        reading = sqlite3.connect(source, timeout=BUSY_SECONDS)
        writing = sqlite3.connect(target)
        try:
            reading.backup(writing)
        finally:
            reading.close()
            writing.close()
