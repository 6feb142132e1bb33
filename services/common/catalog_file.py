"""The SQLite file behind the catalog: rows in and out, nothing of what they mean.

``secure_delete`` is on and a destroyed salt is checkpointed away at once, so that what is gone
cannot be read back from the file.
"""

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import InvalidError, UnavailableError

SCHEMA_VERSION = 1
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sources (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (
    id TEXT PRIMARY KEY, role TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    revoked_ms INTEGER, body BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS salts (day INTEGER PRIMARY KEY, salt BLOB NOT NULL) STRICT;
PRAGMA user_version = {SCHEMA_VERSION};
"""


class CatalogFile:
    """One connection, used by one thread at a time; every write is one durable transaction."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, readable by its owner alone.

        Raises ``InvalidError`` for a file of a newer version or of something else, and
        ``UnavailableError`` where it cannot be opened.
        """
        self._lock = threading.RLock()
        try:
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            raise InvalidError(f"catalog {path} cannot be used: {error}") from error
        except OSError as error:
            raise UnavailableError(f"catalog {path} cannot be opened: {error}") from error
        self._pepper = self._make_pepper()

    def _prepare(self, path: Path) -> None:
        found = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if found > SCHEMA_VERSION:
            self._db.close()
            raise InvalidError(f"catalog {path} has version {found}, newer than {SCHEMA_VERSION}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.executescript(SCHEMA)

    def _make_pepper(self) -> bytes:
        with self.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO meta VALUES ('pepper', ?)", (secrets.token_bytes(32),)
            )
            return bytes(db.execute("SELECT value FROM meta WHERE name='pepper'").fetchone()[0])

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._db.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction; raises ``UnavailableError`` where it cannot be made durable."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise UnavailableError(f"the catalog cannot be written: {error}") from error

    def digest(self, secret: str | bytes) -> bytes:
        """Return the secret as it is kept: useless without the installation's pepper."""
        raw = secret.encode() if isinstance(secret, str) else secret
        return hashlib.blake2b(raw, key=self._pepper, digest_size=32).digest()

    def changes(self) -> int:
        """Return a number that moves when another connection has changed the file."""
        with self._lock:
            return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def marked(self, name: str) -> bool:
        """Tell whether a fact has been noted."""
        with self._lock:
            found = self._db.execute("SELECT 1 FROM meta WHERE name=?", (name,)).fetchone()
        return found is not None

    def mark(self, name: str) -> None:
        """Note a fact."""
        with self.write() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, x'01')", (name,))

    def sources(self) -> list[bytes]:
        """Return every source's body."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT body FROM sources ORDER BY name")]

    def put_source(self, name: str, body: bytes) -> None:
        """Make or replace a source."""
        with self.write() as db:
            db.execute("INSERT OR REPLACE INTO sources VALUES (?, ?)", (name, body))

    def secrets(self, role: str) -> list[tuple[bytes, bytes, int | None]]:
        """Return digest, body and time of revocation of each key or token, oldest first."""
        sql = "SELECT digest, body, revoked_ms FROM secrets WHERE role=? ORDER BY rowid"
        with self._lock:
            return self._db.execute(sql, (role,)).fetchall()

    def put_secret(self, role: str, secret_id: str, digest: bytes, body: bytes) -> None:
        """Keep a new key or token."""
        with self.write() as db:
            db.execute(
                "INSERT INTO secrets (id, role, digest, body) VALUES (?, ?, ?, ?)",
                (secret_id, role, digest, body),
            )

    def revoke(self, role: str, secret_id: str, at_ms: int) -> bool:
        """Make a key or token useless; tell whether there is one. Repeating keeps the time."""
        with self.write() as db:
            done = db.execute(
                "UPDATE secrets SET revoked_ms=coalesce(revoked_ms, ?) WHERE role=? AND id=?",
                (at_ms, role, secret_id),
            )
            return done.rowcount == 1

    def salts(self, day: int) -> dict[int, bytes]:
        """Return the salts of the day and the one before, made where missing; destroy older."""
        with self.write() as db:
            db.execute("INSERT OR IGNORE INTO salts VALUES (?, ?)", (day, secrets.token_bytes(16)))
            gone = db.execute("DELETE FROM salts WHERE day < ?", (day - 1,)).rowcount
            found = dict(db.execute("SELECT day, salt FROM salts WHERE day <= ?", (day,)))
        if gone:
            with self._lock:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return found
