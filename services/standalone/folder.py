"""The data folder: what lies where in it, and the lock that keeps a second process out."""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import IO, Self

from msgspec import Struct

from services.common.errors import InvalidError

SQLITE = ("", "-wal", "-shm", "-journal")
"""What stands at the end of the names of a database's files."""

TRIES = 2
"""So often a lock is tried: its file may have been removed between opening and locking it."""


class Folder(Struct, frozen=True):
    """The places inside a data folder."""

    root: Path

    @property
    def log(self) -> Path:
        """The log: records that ingest made durable, and dead letters on their way."""
        return self.root / "log.db"

    @property
    def state(self) -> Path:
        """States, meta, outbox and the loader's positions."""
        return self.root / "state.db"

    @property
    def catalog(self) -> Path:
        """Sources, hashed keys, tokens and salts."""
        return self.root / "catalog.db"

    @property
    def databases(self) -> tuple[Path, ...]:
        """The databases of Waymark's own."""
        return (self.log, self.state, self.catalog)

    @property
    def clickhouse(self) -> Path:
        """The embedded engine's own folder."""
        return self.root / "clickhouse"

    @property
    def control(self) -> Path:
        """The socket through which commands reach a running process."""
        return self.root / "control.sock"

    @property
    def lock(self) -> Path:
        """The file whose lock the owning process holds."""
        return self.root / "lock"

    @property
    def moving(self) -> Path:
        """The mark of a folder that has moved, or begun to, to Kafka and a ClickHouse server."""
        return self.root / "outgrown.json"

    def found(self) -> frozenset[Path]:
        """Return what lies in the folder; raises ``OSError`` where nobody can tell."""
        try:
            return frozenset(self.root.iterdir())
        except FileNotFoundError:
            return frozenset()

    def begun(self) -> bool:
        """Tell whether Waymark has been at work here; raises ``OSError`` where nobody can tell."""
        return not self.found().isdisjoint((self.lock, *self.databases))

    def make(self) -> list[Path]:
        """Make the folder, readable by its owner alone: it holds shoppers' data.

        Return the folders that were not there, the innermost first.
        """
        made = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    def clear(self, kept: frozenset[Path]) -> None:
        """Remove what Waymark has put into the folder, but for what was there before."""
        if self.clickhouse not in kept:
            shutil.rmtree(self.clickhouse, ignore_errors=True)
        files = (*self.databases, self.lock)
        for path in (Path(f"{file}{end}") for file in files for end in SQLITE):
            if path not in kept:
                path.unlink(missing_ok=True)


class InUseError(InvalidError):
    """Another process holds the folder."""


class FolderLock:
    """An exclusive lock on a data folder; the kernel lets go of it when the process ends.

    The engine of storage refuses a second process too, but only with words nobody understands.
    ``first`` tells that nobody has been at work there before.
    """

    def __init__(self, folder: Folder, *, moving: bool = False, begins: bool = True) -> None:
        """Take the lock; raise ``InUseError`` naming the folder and the owner's process id.

        ``InvalidError`` says why the folder cannot be used at all, or, unless this ``begins`` an
        installation, that there is none: a mistyped name makes nothing.
        A folder that has moved takes nobody any more but the move itself (``moving``): what it took
        in would be missing where it moved to.
        """
        self._folder = folder
        try:
            mine = any(self._take(begins=begins) for _ in range(TRIES))
            has_moved = folder.moving.exists()
        except OSError as error:
            raise InvalidError(
                f"data folder {folder.root} (WAYMARK_DATA) cannot be used: {error.strerror}"
            ) from error
        if has_moved and not moving:
            self._file.close()
            raise InvalidError(
                f"data folder {folder.root} has moved to Kafka and ClickHouse (waymark outgrow): "
                f"run the parts there; removing {folder.moving} makes it an installation again, as "
                "of the move"
            )
        if not mine:
            raise InUseError(
                f"data folder {folder.root} is in use by process {_owner(folder.lock)}: "
                f"stop that one first, or give this one another folder (WAYMARK_DATA)"
            )
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def _take(self, *, begins: bool) -> bool:
        """Lock the folder's file and look at what is there; tell whether the lock is the folder's.

        What was seen before the lock another process may have changed since.
        """
        folder = self._folder
        if not folder.begun() and not begins:
            raise InvalidError(
                f"there is no data folder at {folder.root} (WAYMARK_DATA): `waymark run` makes "
                "one, or name another with --data"
            )
        self._made = folder.make()
        self._file = folder.lock.open("a+")
        if not _locked(self._file, folder.lock):
            self._file.close()
            return False
        self._before = folder.found() - {folder.lock}
        never_owned = os.fstat(self._file.fileno()).st_size == 0
        self.first = never_owned and self._before.isdisjoint(folder.databases)
        return True

    def unmake(self) -> None:
        """Leave no trace where the ``first`` to be at work here was refused what it asked."""
        self._folder.clear(self._before)
        with contextlib.suppress(OSError):  # somebody has put something else there
            for path in self._made:
                path.rmdir()

    def close(self) -> None:
        """Give the folder free."""
        self._file.close()

    def __enter__(self) -> Self:
        """Hold the lock for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder free at the block's end."""
        self.close()


def _locked(file: IO[str], path: Path) -> bool:
    """Lock an open file; False where another process has it, or has removed it from its path.

    The one who was refused its first command removes it: a lock on what it removed keeps nobody
    out.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip() or "unknown"
    return "unknown"
