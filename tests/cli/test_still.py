"""Commands on a folder that nothing runs on, and settings that are wrong."""

import gzip
import itertools
import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Shop
from tests.cli.test_running import view, write
from tests.support.commands import Commands


def test_history_from_an_empty_folder_to_a_backup_and_back(still: Shop, tmp_path: Path) -> None:
    file = write(
        tmp_path / "past.ndjson", view("b1", 1_600_000_000_000), view("b2", 1_600_000_000_000)
    )
    none = still("import", file, tmp_path)
    assert (none.status, f"file {tmp_path} is a folder" in none.err) == (2, True)
    done = still("import", file, "--json")
    assert done.status == 0, done.err
    assert done.json()[0]["source"] == "shop"
    assert f"making data folder {still.data} …" in done.err, "a mistyped name would be seen"
    assert done.err.endswith(
        f"into the new data folder {still.data}: if another was meant, import there with --data\n"
    )
    assert "new data folder" not in still("import", file).err
    assert still("rebuild", "--json").json()["tables"]["sessions"]["same"] == 2
    assert still("forget", "b2", "--json").json()["events"] == 1
    made = still("backup", tmp_path / "backup", "--json").json()
    assert made["rows"]["sessions"] == 1
    again = still("backup", tmp_path / "backup")
    assert (again.status, "not empty" in again.err) == (2, True)
    told = still("backup", tmp_path / "told").out
    assert re.match(rf"backup in {tmp_path}/told: all as of 20[\d-]+T[\d:.]+Z, the log up to", told)
    assert re.search(r"^sessions +1$", told, re.MULTILINE), told

    still.data = tmp_path / "restored"
    assert still("restore", tmp_path / "backup", "--json").json()["rows"]["sessions"] == 1
    assert still("rebuild", "--dry-run", "--json").json()["tables"]["sessions"]["same"] == 1
    assert still("doctor", "--json").json()["well"] is True


@pytest.mark.parametrize(
    ("name", "value"),
    [("WAYMARK_NONSENSE", "1"), ("WAYMARK_PORT", "eighty"), ("WAYMARK_POLICY", "/no/such/file")],
)
def test_a_wrong_setting_stops_the_start_and_is_named(
    commands: Commands, tmp_path: Path, name: str, value: str
) -> None:
    done = commands.run("run", "--data", tmp_path / "data", **{"WAYMARK_PORT": "0", name: value})
    assert done.status == 2
    assert name in done.err or value in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_copy_of_what_is_on_kafka_is_told_where_it_comes_from(
    still: Shop, tmp_path: Path, command: str
) -> None:
    done = still(command, tmp_path / "copy", WAYMARK_KAFKA="127.0.0.1:1")
    assert done.status == 2
    assert "WAYMARK_KAFKA = '127.0.0.1:1'" in done.err
    assert "BACKUP DATABASE" in done.err
    assert list(tmp_path.iterdir()) == []
    named = still(command, tmp_path / "copy", "--data", still.data, WAYMARK_KAFKA="127.0.0.1:1")
    assert "BACKUP DATABASE" not in named.err


def test_without_a_command_help_shows_them_all(commands: Commands) -> None:
    shown = commands.run("--help")
    assert shown.status == 0
    for name in ("run", "replay", "import", "rebuild", "policy", "sources", "keys", "dlq",
                 "forget", "migrate", "backup", "restore", "doctor"):  # fmt: skip
        assert f" {name} " in shown.out
        assert commands.run(name, "--help").status == 0


def test_the_head_of_a_real_file_is_imported_and_its_cut_last_line_named(
    still: Shop, test_data: Path, tmp_path: Path
) -> None:
    with gzip.open(test_data / "rees46-2019-oct.csv.gz") as whole:
        head = b"".join(itertools.islice(whole, 301))
    file = tmp_path / "head.csv.gz"
    file.write_bytes(gzip.compress(head[:-40]))
    done = still("import", file, "--format", "rees46", "--json")
    assert done.status == 1, done.err
    (result,) = json.loads(done.out)
    assert (result["events"], result["rejected"], result["named"][0]["line"]) == (299, 1, 301)
