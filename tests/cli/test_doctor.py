"""``waymark doctor`` on a folder: what it says, and what of one that does not open."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from services.common.catalog import Catalog
from services.common.catalog_rows import Source
from services.common.ports import Hop
from services.common.settings import load
from services.standalone.admin.doctor import keys_check, pipeline_check, whatever_is_in
from tests.cli.conftest import Shop
from tests.support.clock import ManualClock
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


def test_a_folder_that_nothing_runs_on_is_told(still: Shop) -> None:
    assert still("sources", "set", "shop").status == 0
    report = still("doctor", "--json").json()
    assert any(" in 1 table, " in check["message"] for check in report["checks"])
    (running,) = [check for check in report["checks"] if check["name"] == "running"]
    assert (running["verdict"], running["facts"]) == ("note", {"running": False})
    assert "nothing runs on this folder" in running["message"]


def test_what_a_merge_takes_away_while_sizes_are_summed_is_passed_over(tmp_path: Path) -> None:
    for part in ("all_1_1_0", "all_2_2_0"):
        (tmp_path / part / "inner").mkdir(parents=True)
        (tmp_path / part / "inner" / "data.bin").touch()
    found = whatever_is_in(tmp_path)
    assert next(found).parent == tmp_path
    shutil.rmtree(tmp_path / "all_2_2_0")
    left = {str(path.relative_to(tmp_path)) for path in found}
    assert left >= {"all_1_1_0/inner", "all_1_1_0/inner/data.bin"}
    assert not {one for one in left if one.startswith("all_2_2_0/")}


def hops(sessionizer_ms: int, events_ms: int) -> list[Hop]:
    return [Hop("sessionizer", 7, sessionizer_ms), Hop("events", 2, events_ms)]


def test_what_waits_to_settle_is_told_and_is_not_behind() -> None:
    found = pipeline_check(hops(35_000, 400), "wait", settles_ms=30_000)
    assert found.verdict == "ok"
    assert "sessionizer 7 records (35.0 s, 30 s to settle), events 2" in found.message
    assert pipeline_check(hops(0, 400), "wait").message.endswith(
        "sessionizer 7 records (0.0 s), events 2 records (0.4 s)"
    )


@pytest.mark.parametrize(
    ("sessionizer_ms", "events_ms", "settles_ms", "late"),
    [
        (40_001, 0, 30_000, "sessionizer"),
        (10_001, 0, 0, "sessionizer"),
        (35_000, 10_001, 30_000, "events"),
    ],
)
def test_a_hop_that_is_behind_is_a_note(
    sessionizer_ms: int, events_ms: int, settles_ms: int, late: str
) -> None:
    found = pipeline_check(hops(sessionizer_ms, events_ms), "wait", settles_ms)
    assert (found.verdict, found.do) == ("note", "wait")
    assert found.message.startswith(f"{late} behind by more than 10 s: ")


def test_a_write_key_is_missed_only_where_neither_catalog_nor_settings_have_one(
    tmp_path: Path,
) -> None:
    bare, given = load({}), load({"WAYMARK_WRITE_KEYS": "shop=a-secret-of-mine"})
    catalog = Catalog(tmp_path / "catalog.db", ManualClock(1_790_000_000_000))
    catalog.put_source(Source(name="shop"))
    none = keys_check(bare, catalog)
    assert (none.verdict, "waymark keys create" in none.do) == ("note", True)
    assert keys_check(given, catalog).message == "sources: 1, write keys: 1"
    key, _ = catalog.create_key("shop")
    assert keys_check(bare, catalog).message == "sources: 1, write keys: 1"
    catalog.revoke_key(key.id)
    assert keys_check(bare, catalog).verdict == "note"
    catalog.close()
