"""``state.db``: states, meta and outbox of the one partition, and the loader's positions.

What one commit of the sessionizer changes is stored in one transaction: states, meta, rows for
storage and forwards for the log. Rows and forwards wait in the outbox until their reader says that
they arrived; after a crash they are delivered again, which their ids and versions make harmless.

Sequence numbers are never used twice (``AUTOINCREMENT``), even when the outbox was empty between.
One connection writes, behind a lock, from the sessionizer's, the loader's and the forwarder's
threads; each of them holds it for one transaction.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from services.common.ports import Changes, Outgoing, PartitionMeta
from services.standalone import sqlite

STEPS = (
    """
    CREATE TABLE states (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox_rows (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        target TEXT NOT NULL, lines INTEGER NOT NULL, body BLOB NOT NULL
    );
    CREATE TABLE outbox_forwards (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL, address TEXT NOT NULL, line BLOB NOT NULL
    );
    """,
)
META = "meta"
LOADED = "loaded"


class Bundle(Struct, frozen=True):
    """Rows of one table from one commit, as newline-delimited JSON."""

    seq: int
    table: str
    lines: int
    body: bytes


class SqliteStates:
    """The ``StateStore`` port over one SQLite file, with the outbox's reading ends."""

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite.connect(path)
        sqlite.migrate(self._connection, STEPS, path)

    # -- the sessionizer's end

    def meta(self) -> PartitionMeta | None:
        """Return the meta of the last commit, None on a new store."""
        value = self._fact(META)
        return None if value is None else msgspec.msgpack.decode(value, type=PartitionMeta)

    def get(self, key: bytes) -> bytes | None:
        """Return the encoded state of a key."""
        with self._lock, sqlite.translated(self._path):
            row = self._connection.execute(
                "SELECT value FROM states WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else row[0]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Return every key with its encoded state, as of one moment."""
        reading = sqlite.connect(self._path)
        try:
            with sqlite.translated(self._path):
                yield from reading.execute("SELECT key, value FROM states")
        finally:
            reading.close()

    def commit(self, changes: Changes) -> None:
        """Store the changes durably in one transaction; ``UnavailableError``: nothing of them."""
        with self._lock, sqlite.transaction(self._connection, self._path) as connection:
            _put_states(connection, changes.states)
            connection.executemany(
                "INSERT INTO outbox_rows (target, lines, body) VALUES (?, ?, ?)",
                [(table, len(rows), b"\n".join(rows)) for table, rows in changes.rows.items()],
            )
            connection.executemany(
                "INSERT INTO outbox_forwards (source, address, line) VALUES (?, ?, ?)",
                [(item.source, item.address, item.line) for item in changes.forwards],
            )
            _put_fact(connection, META, msgspec.msgpack.encode(changes.meta))

    # -- the loader's end

    def rows(self, after: int, limit_lines: int) -> list[Bundle]:
        """Return the next bundles of rows, at least one if there is any, oldest first."""
        bundles: list[Bundle] = []
        lines = 0
        with self._lock, sqlite.translated(self._path):
            cursor = self._connection.execute(
                "SELECT seq, target, lines, body FROM outbox_rows WHERE seq > ? ORDER BY seq",
                (after,),
            )
            for row in cursor:
                bundles.append(Bundle(*row))
                lines += row[2]
                if lines >= limit_lines:
                    break
            cursor.close()
        return bundles

    def loaded(self) -> int:
        """Return the log offset up to which every event is in storage."""
        value = self._fact(LOADED)
        return 0 if value is None else int(value)

    def arrived(self, rows_up_to: int, log_offset: int) -> None:
        """Note that storage has the rows and the log's events up to these places."""
        with self._lock, sqlite.transaction(self._connection, self._path) as connection:
            connection.execute("DELETE FROM outbox_rows WHERE seq <= ?", (rows_up_to,))
            _put_fact(connection, LOADED, str(log_offset).encode())
            connection.execute("PRAGMA incremental_vacuum(500)").fetchall()

    def waiting_rows(self) -> int:
        """Return how many rows wait for storage."""
        with self._lock, sqlite.translated(self._path):
            (lines,) = self._connection.execute(
                "SELECT coalesce(sum(lines), 0) FROM outbox_rows"
            ).fetchone()
        return int(lines)

    def newest_row(self) -> int:
        """Return the sequence number of the newest bundle of rows that waits, 0 for none."""
        return self._row("SELECT max(seq) FROM outbox_rows")

    def oldest_row(self) -> int:
        """Return the sequence number of the oldest bundle of rows that waits, 0 for none."""
        return self._row("SELECT min(seq) FROM outbox_rows")

    # -- the forwarder's end

    def forwards(self, limit: int) -> tuple[int, list[Outgoing]]:
        """Return the next forwards and the sequence number of their last, oldest first."""
        with self._lock, sqlite.translated(self._path):
            rows = self._connection.execute(
                "SELECT seq, source, address, line FROM outbox_forwards ORDER BY seq LIMIT ?",
                (limit,),
            ).fetchall()
        return (rows[-1][0] if rows else 0), [Outgoing(*row[1:]) for row in rows]

    def forwarded(self, up_to: int) -> None:
        """Note that the log has the forwards up to a sequence number."""
        with self._lock, sqlite.transaction(self._connection, self._path) as connection:
            connection.execute("DELETE FROM outbox_forwards WHERE seq <= ?", (up_to,))

    def waiting_forwards(self) -> int:
        """Return how many forwards wait for the log."""
        with self._lock, sqlite.translated(self._path):
            (number,) = self._connection.execute("SELECT count(*) FROM outbox_forwards").fetchone()
        return int(number)

    # -- upkeep

    def count(self) -> int:
        """Return how many visitors have a state or a stub."""
        with self._lock, sqlite.translated(self._path):
            (number,) = self._connection.execute("SELECT count(*) FROM states").fetchone()
        return int(number)

    def erase(self, states: dict[bytes, bytes | None], forward: Callable[[Outgoing], bool]) -> int:
        """Change states and drop the forwards chosen, in one transaction; return how many."""
        sql = "SELECT seq, source, address, line FROM outbox_forwards"
        with self._lock, sqlite.transaction(self._connection, self._path) as connection:
            _put_states(connection, states)
            rows = connection.execute(sql).fetchall()
            gone = [(row[0],) for row in rows if forward(Outgoing(*row[1:]))]
            connection.executemany("DELETE FROM outbox_forwards WHERE seq = ?", gone)
        return len(gone)

    def purge(self) -> None:
        """Write the file anew, so that nothing of what was deleted or replaced is left in it."""
        with self._lock, sqlite.translated(self._path):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy of the whole file."""
        sqlite.copy(self._path, target)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _row(self, sql: str) -> int:
        with self._lock, sqlite.translated(self._path):
            (seq,) = self._connection.execute(sql).fetchone()
        return seq or 0

    def _fact(self, name: str) -> bytes | None:
        with self._lock, sqlite.translated(self._path):
            row = self._connection.execute(
                "SELECT value FROM facts WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else bytes(row[0])


def _put_states(connection: sqlite3.Connection, states: dict[bytes, bytes | None]) -> None:
    connection.executemany(
        "INSERT INTO states VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        ((key, value) for key, value in states.items() if value is not None),
    )
    connection.executemany(
        "DELETE FROM states WHERE key = ?",
        ((key,) for key, value in states.items() if value is None),
    )


def _put_fact(connection: sqlite3.Connection, name: str, value: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
