"""Commands beside a running ``waymark run``: through its control socket."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.cli.conftest import Shop
from tests.support.process import eventually

HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def write(file: Path, *lines: Any) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts) + "\n")
    return file


def view(visitor: str, at_ms: int, **more: Any) -> dict[str, Any]:
    return {"type": "page_view", "visitor_id": visitor, "ts_ms": at_ms,
            "url": "https://shop.example/"} | more  # fmt: skip


def test_the_first_start_prints_urls_a_key_and_a_token_and_never_again(shop: Shop) -> None:
    assert shop.url.startswith("http://127.0.0.1:")
    assert shop.first_output.count("wk_") == 2, "the key, and a line to paste"
    assert "rt_" in shop.first_output
    listed = shop("keys", "ls")
    assert "wk_" not in listed.out
    assert "server" in listed.out
    assert re.search(r" created +revoked\n", listed.out)
    assert re.search(r" 20\d\d-\d\d-\d\dT[\d:.]+Z +-$", listed.out, re.MULTILINE), listed.out


def test_a_second_process_on_the_folder_is_refused(shop: Shop) -> None:
    second = shop("run", "--port", 0)
    assert second.status == 2
    assert f"data folder {shop.data} is in use by process {shop.pid}" in second.err


def test_a_source_is_made_changed_and_listed(shop: Shop) -> None:
    made = shop("sources", "set", "other", "--timezone", "Europe/Madrid", "--currency", "EUR",
                "--host", "other.example", "--json")  # fmt: skip
    assert made.status == 0, made.err
    assert made.json()[0]["made"] is True
    changed = shop("sources", "set", "other", "--currency", "GBP")
    assert "changed source other" in changed.err
    (row,) = [row for row in shop("sources", "ls", "--json").json() if row["name"] == "other"]
    assert (row["timezone"], row["currency"], row["hosts"]) == (
        "Europe/Madrid", "GBP", ["other.example"],
    )  # fmt: skip


def test_what_is_wrong_is_named_with_its_value(shop: Shop, tmp_path: Path) -> None:
    rules = write(tmp_path / "wrong.toml", "[session]", "gap_ms = -1")
    for args, words in (
        (("sources", "set", "x", "--timezone", "Mars/Olympus"), "Mars/Olympus"),
        (("sources", "set", "x", "--currency", "XQX"), "XQX"),
        (("sources", "set", "x", "--host", "https://x y"), "host = 'https://x y'"),
        (("keys", "create", "nowhere"), "nowhere"),
        (("keys", "create", "shop", "--kind", "golden"), "golden"),
        (("keys", "revoke", "k_none"), "k_none"),
        (("policy", "check", rules), "gap_ms"),
        (("import", tmp_path / "none.ndjson"), "none.ndjson"),
        (("import", rules, "--format", "xml"), "xml"),
        (("rebuild", "--from", "yesterdayish"), "yesterdayish"),
        (("rebuild", "--source", "nowhere"), "nowhere"),
        (("dlq", "show", "nothing"), "nothing"),
        (("forget",), "--user"),
    ):
        done = shop(*args)
        assert done.status == 2, (args, done)
        assert words in done.err, (args, done.err)
        assert "Traceback" not in done.err


def test_a_revoked_key_is_refused(shop: Shop) -> None:
    made = shop("keys", "create", "shop", "--json").json()
    assert shop.post(view("keyed", now_ms()), made["secret"]).status_code == 200
    assert shop("keys", "revoke", made["id"]).status == 0
    (row,) = [row for row in shop("keys", "ls", "--json").json() if row["id"] == made["id"]]
    assert row["revoked_ms"]
    answer = eventually(
        lambda: (a := shop.post(view("keyed", now_ms()), made["secret"])).status_code != 200 and a
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_an_import_names_each_rejected_line_and_stores_the_rest(shop: Shop, tmp_path: Path) -> None:
    shop("sources", "set", "past")
    file = write(
        tmp_path / "past.ndjson",
        view("i1", 1_600_000_000_000),
        view("i2", 1_600_000_000_000, type=7),
        '{"type": "page_view", "visitor_id": "i3"',
        view("i4", 1_600_000_005_000),
        view("null", 1_600_000_005_000),
    )
    done = shop("import", file, "--source", "past")
    assert done.status == 1
    assert "2 events into source past" in done.out
    assert f"{file}, line 2: type:" in done.err
    assert f"{file}, line 3:" in done.err
    assert f"{file}, line 5: visitor_id:" in done.err
    assert "'null'" in done.err
    again = shop("import", file, "--source", "past", "--json")
    (result,) = again.json()
    assert (result["events"], result["rejected"]) == (2, 3)
    assert result["rebuilt"]["tables"]["sessions"]["same"] == 2
    assert len(shop.rows("sessions", source="past")) == 2


def test_a_rebuild_shows_first_and_changes_only_then(shop: Shop, tmp_path: Path) -> None:
    shop("sources", "set", "again")
    at_ms = 1_600_000_000_000
    file = write(tmp_path / "a.ndjson", view("r1", at_ms), view("r1", at_ms + 600_000))
    assert shop("import", file, "--source", "again").status == 0
    rules = write(tmp_path / "short.toml", "version = 2", "[session]", "gap_ms = 300_000")
    args = ("rebuild", "--source", "again", "--policy", rules, "--json")
    shown = shop(*args, "--dry-run").json()["tables"]["sessions"]
    assert (shown["new"], shown["changed"]) == (1, 1)
    assert len(shop.rows("sessions", source="again")) == 1
    assert "source again: 2 events folded; nothing was written" in shop(*args[:-1], "--dry-run").out
    policy_try = ("policy", "try", rules, "--source", "again", "--from", at_ms,
                  "--to", at_ms + HOUR_MS)  # fmt: skip
    tried = shop(*policy_try, "--json").json()
    told = shop(*policy_try)
    assert told.out.startswith(
        "source again: 2 events of the visitors seen between 2020-09-13T12:26:40Z and "
        "2020-09-13T13:26:40Z, under both rules\n"
    )
    assert "recomputing under both policies: 0 %" in told.err
    assert (tried["now"]["sessions"], tried["tried"]["sessions"]) == (1, 2)
    assert len(shop.rows("sessions", source="again")) == 1
    assert shop(*args).status == 0
    assert len(shop.rows("sessions", source="again")) == 2


def test_a_policy_piped_from_show_is_good(shop: Shop, tmp_path: Path) -> None:
    shown = shop("policy", "show")
    assert shown.status == 0
    file = tmp_path / "policy.toml"
    file.write_text(shown.out)
    checked = shop("policy", "check", file)
    assert (checked.status, "is good" in checked.out) == (0, True), checked.err
    assert shop("policy", "show", "--json").json()["session"]["gap_ms"] == 1_800_000


def test_a_refused_event_is_listed_shown_and_refused_again(shop: Shop) -> None:
    shop("sources", "set", "strict")
    key = shop("keys", "create", "strict", "--json").json()["secret"]
    answer = shop.post([view("null", now_ms(), event_id="wrong")], key).json()
    assert (answer["accepted"], answer["errors"][0]["field"]) == (0, "visitor_id")
    (letter,) = eventually(lambda: shop("dlq", "ls", "--source", "strict", "--json").json())
    assert letter["id"] in shop("dlq", "ls", "--source", "strict").out
    shown = shop("dlq", "show", letter["id"]).json()
    assert json.loads(shown["original"])["visitor_id"] == "null"
    again = shop("dlq", "retry", letter["id"])
    assert again.status == 1
    assert f"{letter['id']}: visitor_id:" in again.err
    assert len(shop("dlq", "ls", "--source", "strict", "--json").json()) == 1


def test_a_refused_event_that_is_too_old_by_now_goes_the_way_of_history(shop: Shop) -> None:
    shop("sources", "set", "old")
    key = shop("keys", "create", "old", "--json").json()["secret"]
    answer = shop.post([view("d2", now_ms() - 100 * HOUR_MS, event_id="aged")], key).json()
    assert answer["errors"][0]["code"] == "too_old"
    (letter,) = eventually(lambda: shop("dlq", "ls", "--source", "old", "--json").json())
    assert shop("dlq", "retry", letter["id"]).out == "1 accepted\n"
    (session,) = shop.rows("sessions", source="old", **{"from": str(now_ms() - 200 * HOUR_MS)})
    assert (session["visitor_id"], session["open"]) == ("d2", False)


def test_who_is_forgotten_is_gone_and_starts_fresh(shop: Shop) -> None:
    shop.post([view("leaves", now_ms(), user_id="u-leaves"), view("stays", now_ms())])
    eventually(lambda: len(shop.rows("events", source="shop", visitor_id="leaves")) == 1)
    went = shop("forget", "--user", "u-leaves", "--source", "shop", "--json")
    assert went.status == 0, went.err
    assert went.json()["visitors"] == 2
    assert shop.rows("events", source="shop", visitor_id="leaves") == []
    shop.post([view("leaves", now_ms())])
    live = eventually(lambda: shop.rows("events", source="shop", visitor_id="leaves"))
    assert live[0].get("user_id", "") == ""
    assert len(shop.rows("events", source="shop", visitor_id="stays")) == 1


def test_that_nobody_was_found_is_said_and_no_error(shop: Shop) -> None:
    for who, words in ((("nobody",), "visitor 'nobody'"), (("--user", "none"), "user 'none'")):
        done = shop("forget", *who, "--source", "shop")
        assert (done.status, done.out) == (0, f"nothing was found of {words} of source shop\n")
    assert not any(shop("forget", "nobody", "--source", "shop", "--json").json().values())


def test_deleting_a_visitor_over_http_is_the_same_command(shop: Shop) -> None:
    token = shop("keys", "create", "--kind", "read", "--json").json()["secret"]
    shop.post(view("deleted", now_ms()))
    eventually(lambda: shop.rows("events", source="shop", visitor_id="deleted"))
    answer = httpx.delete(
        f"{shop.url}/v1/visitors/deleted",
        params={"source": "shop"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["erased"]["events"] == 1
    assert shop.rows("events", source="shop", visitor_id="deleted") == []


def test_the_installed_command_is_the_same(shop: Shop) -> None:
    command = Path(sys.executable).with_name("waymark")
    done = subprocess.run(
        [command, "sources", "ls", "--data", shop.data, "--json"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "shop" in [row["name"] for row in json.loads(done.stdout)]


def test_doctor_and_migrate_tell_that_all_is_well(shop: Shop) -> None:
    report = shop("doctor", "--json")
    assert (report.status, report.json()["well"]) == (0, True)
    shown = shop("doctor").out
    assert "policy version" in shown
    assert re.search(rf"^running +ok +yes, process {shop.pid}\b", shown, re.MULTILINE), shown
    for size in (r"log\.db", r"state\.db", r"catalog\.db", "clickhouse"):
        assert re.search(rf"^disk .* {size} [\d.,]+ [KM]iB", shown, re.MULTILINE), shown
    assert re.search(r"^log  .* [\d,]+ records, [\d.]+ [KM]iB in use", shown, re.MULTILINE), shown
    for hop in (r"sessionizer \d+ records \(\d+\.\d s\)", r"events \d+ records", r"rows \d+\b"):
        assert re.search(rf"^pipeline .* {hop}", shown, re.MULTILINE), shown
    migrated = shop("migrate", "--json").json()
    assert migrated["applied"] == []
    assert "0001_rows.sql" in migrated["present"]
    assert re.fullmatch(r"nothing to do: all \d+ migrations are there\n", shop("migrate").out)
