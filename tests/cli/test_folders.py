"""A data folder that is none, is not there, or is in use: said in one sentence."""

from pathlib import Path

import pytest

from services.common.errors import InvalidError
from services.common.settings import load
from services.standalone.admin.call import call
from services.standalone.admin.commands import all_commands
from services.standalone.folder import Folder, FolderLock, InUseError
from tests.cli.conftest import Shop


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


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("keys", "create", "nowhere"), "source 'nowhere' does not exist"),
        (("sources", "set", "shop", "--timezone", "Mars"), "time zone 'Mars'"),
        (("import", "none.ndjson"), "none.ndjson"),
    ],
    ids=["keys", "sources", "import"],
)
def test_a_first_command_that_is_refused_leaves_nothing(
    still: Shop, command: tuple[str, ...], said: str, *, there: bool
) -> None:
    top = still.data.parent
    still.data = top / "new" / "data"
    if there:
        still.data.mkdir(parents=True)
        (still.data / "notes.txt").touch()
        (still.data / "clickhouse").mkdir()
    before = sorted(top.rglob("*"))
    done = still(*command)
    assert (done.status, said in done.err) == (2, True), done
    assert [path for path in sorted(top.rglob("*")) if "clickhouse/" not in str(path)] == before


def test_a_later_command_that_is_refused_takes_nothing_away(still: Shop) -> None:
    assert still("keys", "create").status == 0
    assert still("keys", "create", "nowhere").status == 2
    assert [key["source"] for key in still("keys", "ls", "--json").json()] == ["shop"]


def test_a_folder_under_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("shop")
    with pytest.raises(InvalidError, match="cannot be used: Not a directory"):
        FolderLock(Folder(tmp_path / "file" / "data"))


def test_a_folder_in_use_is_told_apart(tmp_path: Path) -> None:
    with FolderLock(Folder(tmp_path)), pytest.raises(InUseError, match="in use by process"):
        FolderLock(Folder(tmp_path))
