"""``waymark run`` as its users meet it: start, journey, live view, commands beside it, stop."""

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.common.errors import InvalidError
from services.common.settings import load
from services.standalone import restore
from services.standalone.admin.call import call
from services.standalone.folder import Folder, FolderLock
from tests.standalone.shoppers import SOURCE, shopper
from tests.standalone.test_kill import Load, check_exactly
from tests.standalone.waymark import Waymark
from tests.support.process import eventually

Make = Callable[..., Waymark]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def kinds(waymark: Waymark, visitor: str) -> list[str]:
    rows = waymark.rows("/v1/signals", source=SOURCE, visitor_id=visitor)
    return sorted(f"{row['kind']} {row['stage']}".strip() for row in rows)


@pytest.mark.timeout(180)
def test_three_visits_from_the_first_page_to_their_signals(make: Make, short_policy: Path) -> None:
    waymark = make(policy=short_policy)
    waymark.start()
    visits = [shopper(number, now_ms()) for number in range(3)]
    for visit in visits:
        assert waymark.post(visit.events)["accepted"] == len(visit.events)
    check_exactly(waymark, visits)
    bounce, cart, _ = (
        next(iter(waymark.rows("/v1/sessions", source=SOURCE, visitor_id=visit.visitor)))
        for visit in visits
    )
    assert (bounce["bounced"], bounce["furthest_stage"]) == (True, "discovery")
    assert (cart["bounced"], cart["cart_outcome"]) == (False, "abandoned")
    (left,) = waymark.rows("/v1/carts", source=SOURCE, visitor_id="v1")
    assert left["outcome"] == "abandoned"
    assert left["abandoned_ms"] == visits[1].events[-1]["ts_ms"] + 1_000
    assert left["abandoned_value"] == "25.00"
    (order,) = waymark.rows("/v1/orders", source=SOURCE)
    assert (order["order_id"], order["value"]) == ("order-v2", "25.00")
    assert waymark.get("/v1/health/pipeline")["status"] == "ok"


@pytest.mark.timeout(180)
def test_the_first_start_prints_a_line_that_works_as_pasted(make: Make) -> None:
    waymark = make()
    waymark.start()
    assert re.search(r"rt_[\w-]+", waymark.text())
    line = next(
        one.strip() for one in waymark.text().splitlines() if one.strip().startswith("curl")
    )
    done = subprocess.run(shlex.split(line), capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout)["accepted"] == 1
    eventually(lambda: stage(waymark, "me") == "discovery")
    assert waymark.stop() == 0
    waymark.start()
    again = waymark.text()
    assert again.count("wk_") == 2, "a later start shows no secret again"
    assert f"waymark keys create SOURCE --data {waymark.data}" in again
    (line,) = (one for one in again.splitlines() if "Bearer YOUR_WRITE_KEY" in one)
    assert shlex.split(line)[0] == "curl"


@pytest.mark.timeout(180)
def test_an_event_shows_in_the_live_view_at_once_and_in_storage_soon(make: Make) -> None:
    waymark = make()
    waymark.start()
    for number in range(1, 13, 3):  # those who put something aside
        visit = shopper(number, now_ms())
        waymark.post(visit.events)
        # Within the grace of 30 s: what waits to settle shows.
        eventually(lambda who=visit.visitor: stage(waymark, who) == "intent", 20)
    eventually(lambda: len(list(waymark.rows("/v1/events", source=SOURCE))) == 16, 30)


def stage(waymark: Waymark, visitor: str) -> str | None:
    live = waymark.ask(f"/v1/visitors/{visitor}", source=SOURCE)
    return live.json()["current_stage"] if live.is_success else None


@pytest.mark.timeout(180)
def test_a_second_process_on_the_folder_is_refused_and_told_whose_it_is(make: Make) -> None:
    first = make("first")
    first.start()
    second = make("second", data=first.data)
    second.launch()
    pid = first.pid
    assert second.wait() == 2
    assert f"is in use by process {pid}" in second.text()
    assert first.ready()


def test_a_taken_address_is_named(make: Make) -> None:
    first = make("first")
    first.start()
    second = make("second")
    second.launch(WAYMARK_PORT=str(first.port))
    assert second.wait() == 2
    assert f"cannot listen on 127.0.0.1:{first.port}" in second.text()


@pytest.mark.timeout(240)
def test_a_stop_under_load_is_told_first_finishes_requests_and_loses_nothing(
    make: Make, short_policy: Path
) -> None:
    waymark = make(policy=short_policy)
    waymark.start()
    load = Load(waymark)
    seen = Watch(waymark)
    time.sleep(1.0)
    started = time.monotonic()
    assert waymark.stop() == 0
    took = time.monotonic() - started
    told = seen.finish()
    waymark.start()
    check_exactly(waymark, load.finish())
    assert took < 10
    assert any("shutting down" in text for text in told), told[-3:]


class Watch:
    """Asks ``/readyz`` over and over and keeps every refusal."""

    def __init__(self, waymark: Waymark) -> None:
        self._http = httpx.Client(base_url=waymark.url, timeout=5)
        self._stop = threading.Event()
        self._told: list[str] = []
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._http.get("/readyz")
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            if answer.status_code != 200:
                self._told.append(answer.text)
            time.sleep(0.01)

    def finish(self) -> list[str]:
        self._stop.set()
        self._thread.join(10)
        self._http.close()
        return self._told


@pytest.mark.timeout(240)
def test_a_stream_of_signals_does_not_hold_the_stop_up(make: Make) -> None:
    waymark = make()
    waymark.start()
    path = f"{waymark.url}/v1/signals/stream?source={SOURCE}"
    with httpx.stream("GET", path, timeout=30) as stream:
        chunks = stream.iter_raw()
        assert next(chunks)
        started = time.monotonic()
        waymark.signal(signal.SIGTERM)
        list(chunks)
        assert waymark.wait() == 0
    assert time.monotonic() - started < 10


@pytest.mark.timeout(300)
def test_a_backup_of_a_running_process_answers_the_same_after_a_restore(
    make: Make, short_policy: Path, tmp_path: Path
) -> None:
    waymark = make(policy=short_policy)
    waymark.start()
    visits = [shopper(number, now_ms()) for number in range(30)]
    for visit in visits:
        waymark.post(visit.events)
    waymark.post({"type": "page_view"})  # refused: it names nobody
    check_exactly(waymark, visits)
    eventually(lambda: list(waymark.rows("/v1/dead-letters", source=SOURCE)))
    before = answers(waymark)
    key = waymark.key()
    told: list[str] = []
    settings = load(environ={}, overrides={"data": waymark.data})
    made = call(
        settings,
        "backup",
        {"folder": str(tmp_path / "backup")},
        lambda _done, _of, what: told.append(what),
    )
    assert made["rows"]["events"] > 0
    assert "copying the state" in told
    assert waymark.stop() == 0

    other = make("other", policy=short_policy)
    restored(other, tmp_path / "backup")
    other.start()
    assert answers(other) == before
    answer = httpx.post(
        f"{other.url}/v1/events",
        json=visits[0].events,
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.json()["accepted"] == 1, "keys came along, and a repeat stays one"
    time.sleep(1.0)
    assert answers(other)["events"] == before["events"]


def restored(waymark: Waymark, backup: Path) -> None:
    """Restore as a user does: an embedded store belongs to one process, so in one of its own."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("waymark")),
            "restore",
            str(backup),
            "--data",
            str(waymark.data),
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["events"] > 0


def answers(waymark: Waymark) -> dict[str, Any]:
    paths = ("sessions", "carts", "orders", "signals", "events", "dead-letters")
    return {
        path: sorted(json.dumps(row) for row in waymark.rows(f"/v1/{path}", source=SOURCE))
        for path in paths
    }


@pytest.mark.timeout(180)
def test_doctor_beside_a_running_process_tells_sizes_lag_and_hides_secrets(make: Make) -> None:
    waymark = make(write_keys="shop=a-secret-of-mine")
    waymark.start()
    settings = load(environ={}, overrides={"data": waymark.data})
    report = call(settings, "doctor")
    assert report["well"] is True
    facts = {check["name"]: check["facts"] for check in report["checks"]}
    assert facts["disk"]["sizes"]["log.db"] > 0
    assert [hop["name"] for hop in facts["pipeline"]["hops"]][:3] == [
        "ingest",
        "log",
        "sessionizer",
    ]
    assert facts["storage"]["missing_migrations"] == []
    assert "a-secret-of-mine" not in json.dumps(report)
    with pytest.raises(InvalidError, match="unknown command 'nonsense'"):
        call(settings, "nonsense")


def test_a_restore_wants_a_whole_backup_and_an_empty_folder(tmp_path: Path) -> None:
    settings = load(environ={}, overrides={"data": tmp_path / "data"})
    with pytest.raises(InvalidError, match="no whole backup"):
        restore.restore(settings, tmp_path)
    (tmp_path / "manifest.json").write_text(
        '{"form":1,"made_ms":1,"log_end":1,"storage":{"rows":{},"migrations":[]}}'
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "something").touch()
    with pytest.raises(InvalidError, match="not empty: it has something"):
        restore.restore(settings, tmp_path)


def test_the_folder_is_locked_until_its_holder_lets_go(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data")
    with FolderLock(folder), pytest.raises(InvalidError, match="in use by process"):
        FolderLock(folder)
    FolderLock(folder).close()
    assert oct(folder.root.stat().st_mode & 0o777) == "0o700"
