"""``waymark doctor`` on folders that do not open: a report that names what is broken, no error."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.support.commands import Done


def wrong(done: Done) -> dict[str, Any]:
    assert done.status == 1, (done.out, done.err)
    report = done.json()
    assert report["well"] is False
    return {check["name"]: check for check in report["checks"] if check["verdict"] == "wrong"}


@pytest.mark.parametrize(
    ("file", "name"), [("log.db", "log"), ("state.db", "state"), ("catalog.db", "catalog")]
)
def test_a_damaged_file_is_named_with_what_to_do(still: Shop, file: str, name: str) -> None:
    assert still("sources", "set", "shop").status == 0
    assert still("doctor", "--json").json()["well"] is True
    path = still.data / f"{name}.db"
    for more in ("", "-wal", "-shm"):
        Path(f"{path}{more}").unlink(missing_ok=True)
    path.write_bytes(b"this was a database once, and is none now" * 200)
    found = wrong(still("doctor", "--json"))
    assert list(found) == [name]
    assert "restore" in found[name]["do"]
    shown = still("doctor")
    assert (shown.status, "Traceback" in shown.err) == (1, False)
    assert name in shown.out


def test_a_policy_that_cannot_be_read_is_named(still: Shop, tmp_path: Path) -> None:
    assert still("sources", "set", "shop").status == 0
    policy = tmp_path / "policy.toml"
    policy.write_text("[session]\ngap_ms = 0\n")
    found = wrong(still("doctor", "--json", WAYMARK_POLICY=str(policy)))
    assert list(found) == ["policy"]
    assert "session.gap_ms = 0" in found["policy"]["message"]


def test_another_command_on_a_damaged_folder_still_fails(still: Shop) -> None:
    still.data.mkdir()
    (still.data / "state.db").write_bytes(b"no database" * 1_000)
    done = still("sources", "ls")
    assert done.status == 2, done
    assert "state.db" in done.err
    assert "Traceback" not in done.err
