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
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from services.common.errors import UnavailableError
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
SHORT = ("facts", "outbox_rows", "outbox_forwards", "sqlite_sequence")
"""The tables that are copied whole in a moment; the last keeps numbers from being used twice."""
RENEWED = ".new"
META = "meta"
LOADED = "loaded"


class Bundle(Struct, frozen=True):
    """Rows of one table from one commit, as newline-delimited JSON."""

    seq: int
    table: str
    lines: int
    body: bytes


class SqliteStates:
    """A ``StateReader`` over one SQLite file that stores changes whole, and their outbox."""

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        self._path = path
        self._lock = threading.Lock()
        sqlite.remove(path.with_suffix(RENEWED))  # a crash left it half written
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

    def drop_forwards(self, chosen: Callable[[Outgoing], bool]) -> int:
        """Drop the forwards chosen; return how many."""
        sql = "SELECT seq, source, address, line FROM outbox_forwards"
        with self._lock, sqlite.transaction(self._connection, self._path) as connection:
            rows = connection.execute(sql).fetchall()
            gone = [(row[0],) for row in rows if chosen(Outgoing(*row[1:]))]
            connection.executemany("DELETE FROM outbox_forwards WHERE seq = ?", gone)
        return len(gone)

    def write_anew(self) -> Path:
        """Write all that is kept now, and nothing that was, to another file; commits go on."""
        fresh = self._path.with_suffix(RENEWED)
        sqlite.remove(fresh)
        sqlite.copy_packed(self._path, fresh)
        return fresh

    def go_on_in(self, fresh: Path, moved: Collection[bytes]) -> None:
        """Take a file written anew for one's own, once it has what was stored since.

        ``moved``: the keys of the states stored since. Raises ``UnavailableError``, and keeps the
        old file, while somebody else reads it.
        """
        with self._lock, sqlite.translated(self._path):
            _bring(fresh, self._path, moved)
            if not sqlite.emptied(self._connection):
                raise UnavailableError(f"{self._path} is being read: try again")
            self._connection.close()
            try:
                sqlite.replace(fresh, self._path)
            finally:
                self._connection = sqlite.connect(self._path)

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


def _bring(fresh: Path, path: Path, moved: Collection[bytes]) -> None:
    """Bring a copy up to date: the states that moved, and all that is short."""
    connection = sqlite.connect(fresh)
    try:
        connection.execute("ATTACH ? AS old", (str(path),))
        keys = [(key,) for key in moved]
        with sqlite.transaction(connection, fresh):
            connection.executemany("DELETE FROM states WHERE key = ?", keys)
            connection.executemany(
                "INSERT INTO states SELECT key, value FROM old.states WHERE key = ?", keys
            )
            for table in SHORT:
                connection.execute(f"DELETE FROM main.{table}")
                connection.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
        connection.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


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
