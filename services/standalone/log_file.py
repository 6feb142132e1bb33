"""The reading side of ``log.db``: records, dead letters, and how much of them there is."""

import threading
from pathlib import Path
from typing import Any

from services.common.ports import LogRecord
from services.standalone import sqlite


class LogFile:
    """Reads the log's file, from any thread, while it is written."""

    def __init__(self, path: Path) -> None:
        """Open an existing log for reading."""
        self._path = path
        self._reading = threading.Lock()
        self._reader = sqlite.connect(path)

    def read(self, after: int, limit_bytes: int) -> list[LogRecord]:
        """Return the next records after an offset: at least one if there is any."""
        records: list[LogRecord] = []
        size = 0
        with self._reading, sqlite.translated(self._path):
            rows = self._reader.execute(
                "SELECT offset, append_ms, body FROM records WHERE offset > ? ORDER BY offset",
                (after,),
            )
            for offset, append_ms, body in rows:
                records.append(LogRecord(offset, append_ms, body))
                size += len(body)
                if size >= limit_bytes:
                    break
            rows.close()
        return records

    def read_dead_letters(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return (sequence number, JSON line) of the next dead letters, oldest first."""
        with self._reading, sqlite.translated(self._path):
            return self._reader.execute(
                "SELECT seq, body FROM dead_letters WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()

    def start(self) -> int:
        """Return the offset of the oldest record kept, 0 for an empty log."""
        return int(self._ask("SELECT coalesce(min(offset), 0) FROM records"))

    def used_bytes(self) -> int:
        """Return the bytes in use in the file, without what trimming left free."""
        pages = self._ask("PRAGMA page_count") - self._ask("PRAGMA freelist_count")
        return int(pages * self._ask("PRAGMA page_size"))

    def offset_before(self, append_ms: int) -> int:
        """Return the greatest offset appended before a time, 0 where none was."""
        low, high = self.start() - 1, self._ask("SELECT coalesce(max(offset), 0) FROM records")
        while low < high:  # append times never decrease along the offsets
            middle = (low + high + 1) // 2
            at = self._ask("SELECT max(append_ms) FROM records WHERE offset = ?", middle)
            low, high = (middle, high) if (at or 0) < append_ms else (low, middle - 1)
        return max(low, 0)

    def _ask(self, sql: str, *parameters: int) -> Any:
        with self._reading, sqlite.translated(self._path):
            return self._reader.execute(sql, parameters).fetchone()[0]

    def checkpoint(self) -> None:
        """Bring all that was written into the file itself, and empty the journal beside it."""
        with self._reading, sqlite.translated(self._path):
            self._reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy_to(self, target: Path) -> None:
        """Write a consistent copy of the whole file, while publishing goes on."""
        sqlite.copy(self._path, target)

    def close_reader(self) -> None:
        """Close the reading connection."""
        with self._reading:
            self._reader.close()
