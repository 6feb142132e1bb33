"""The lock of a data folder where another process comes between the look, the file and the lock."""

from collections.abc import Callable
from pathlib import Path, PosixPath
from typing import IO, Any

import pytest

from services.common.errors import InvalidError
from services.standalone.folder import Folder, FolderLock, InUseError


class Looked(Folder, frozen=True):
    """A folder in which something happens after it was looked at, before its lock is opened."""

    then: Callable[[], object]

    def make(self) -> list[Path]:
        made = Folder.make(self)
        self.then()
        return made


class Opened(Folder, frozen=True):
    """A folder in which something happens after its lock was opened, before it is locked."""

    then: Callable[[], object]

    @property
    def lock(self) -> Path:
        path = Hooked(self.root / "lock")
        path.then = self.then
        return path


class Hooked(PosixPath):
    """The path of a file after whose opening something happens."""

    then: Callable[[], object]

    def open(self, *args: Any, **named: Any) -> IO[Any]:  # type: ignore[override]
        file: IO[Any] = super().open(*args, **named)
        self.then()
        return file


def once(does: Callable[[], object]) -> Callable[[], object]:
    left = [does]
    return lambda: left and left.pop()()


@pytest.mark.parametrize("name", ["lock", "log.db", "state.db", "catalog.db"])
def test_who_waited_while_another_worked_is_not_the_first(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "data")

    def work() -> None:
        with FolderLock(folder) as other:
            assert other.first
            (folder.root / name).touch()

    with FolderLock(Looked(folder.root, once(work))) as lock:
        assert not lock.first


def test_a_lock_file_that_nobody_has_owned_leaves_one_the_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.lock.touch()
    with FolderLock(folder) as lock:
        assert lock.first
        lock.unmake()
    assert not list(tmp_path.iterdir())


def test_what_was_there_by_the_lock_is_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    with FolderLock(Looked(folder.root, once(folder.clickhouse.mkdir))) as lock:
        assert lock.first
        lock.unmake()
    assert list(folder.root.iterdir()) == [folder.clickhouse]


@pytest.mark.parametrize("whole", [True, False])
def test_a_lock_on_a_file_that_was_removed_is_taken_again(tmp_path: Path, *, whole: bool) -> None:
    """``whole``: the folder is gone with its lock file, else somebody has put something there."""
    folder = Folder(tmp_path / "data")
    refused = FolderLock(folder)
    if not whole:
        (folder.root / "notes.txt").touch()

    def unmake() -> None:
        refused.unmake()
        refused.close()
        assert folder.root.exists() != whole

    with FolderLock(Opened(folder.root, once(unmake))) as lock:
        assert lock.first
        with pytest.raises(InUseError, match="in use by process"):
            FolderLock(folder)


def test_a_folder_that_was_unmade_meanwhile_is_not_made_by_who_begins_none(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    refused = FolderLock(folder)

    def unmake() -> None:
        refused.unmake()
        refused.close()

    with pytest.raises(InvalidError, match="there is no data folder"):
        FolderLock(Opened(folder.root, once(unmake)), begins=False)
    assert not folder.root.exists()


def test_a_lock_whose_file_goes_again_and_again_is_somebody_elses(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(InUseError, match="in use by process unknown"):
        FolderLock(Opened(tmp_path, folder.lock.unlink))


def test_a_folder_that_moved_before_it_was_locked_takes_nobody(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(InvalidError, match="has moved to Kafka"):
        FolderLock(Opened(tmp_path, folder.moving.touch))
