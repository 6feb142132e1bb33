"""A data folder that is none, is not there, or is in use: said in one sentence."""

from pathlib import Path

import pytest

from services.common.errors import InvalidError
from services.common.settings import load
from services.standalone.admin.call import call
from services.standalone.admin.commands import all_commands
from services.standalone.folder import Folder, FolderLock, InUseError


@pytest.mark.parametrize("name", ["doctor", "import"])
def test_a_file_is_no_folder(name: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("shop")
    with pytest.raises(InvalidError, match=r"data folder .*file \(WAYMARK_DATA\) cannot be used"):
        call(load({}, overrides={"data": file}), name)


BEGINNING = {"import", "keys.create", "migrate", "sources.set"}
"""What a shop may do before its first ``waymark run``."""


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("name", sorted(all_commands().keys() - BEGINNING))
def test_a_command_makes_nothing_of_a_mistyped_name(
    name: str, tmp_path: Path, *, there: bool
) -> None:
    folder = tmp_path / "mistyped"
    if there:
        folder.mkdir()
        (folder / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidError, match=r"no data folder at .*mistyped \(WAYMARK_DATA\)"):
        call(load({}, overrides={"data": folder}), name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_under_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("shop")
    with pytest.raises(InvalidError, match="cannot be used: Not a directory"):
        FolderLock(Folder(tmp_path / "file" / "data"))


def test_a_folder_in_use_is_told_apart(tmp_path: Path) -> None:
    with FolderLock(Folder(tmp_path)), pytest.raises(InUseError, match="in use by process"):
        FolderLock(Folder(tmp_path))
