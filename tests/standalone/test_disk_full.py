"""A full disk: 503 and nothing corrupt; with room again it goes on by itself, nothing missing."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from services.common.errors import UnavailableError
from services.common.ports import Changes, Outgoing, PartitionMeta
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates
from tests.standalone.shoppers import SOURCE
from tests.standalone.waymark import Waymark
from tests.support.clock import ManualClock
from tests.support.process import eventually

SMALL = "96m"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 96 MiB, or skip where this user may not mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command to make a small disk with")
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], timeout=10, check=True)


def fill(folder: Path) -> Path:
    """Write until no byte is free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def event(number: int) -> dict[str, object]:
    return {
        "type": "click",
        "event_id": f"e{number}",
        "visitor_id": f"v{number}",
        "properties": {"text": "x" * 8_000},
    }


@pytest.mark.timeout(240)
def test_a_full_disk_answers_503_and_recovers_by_itself(
    make: Callable[..., Waymark], small: Path
) -> None:
    waymark = make(data=small / "data")
    waymark.start()
    http = httpx.Client(
        base_url=waymark.url, timeout=30, headers={"Authorization": f"Bearer {waymark.key()}"}
    )
    taken = [number for number in range(20) if send(http, number) == 200]
    filler = fill(small)
    numbers = iter(range(20, 5_000))
    while (status := send(http, number := next(numbers))) == 200:
        taken.append(number)
    assert status == 503
    refusal = http.post("/v1/events", json=[event(n) for n in range(6_000, 6_050)])
    assert (refusal.status_code, refusal.json()["code"]) == (503, "unavailable")
    assert int(refusal.headers["retry-after"]) >= 1
    told = waymark.ask("/readyz")
    assert told.status_code == 503
    assert "full" in told.json()["message"]
    filler.unlink()
    eventually(lambda: send(http, 5_999) == 200)
    taken.append(5_999)
    eventually(waymark.ready)
    expected = {f"e{number}" for number in taken}
    eventually(lambda: stored(waymark) == expected)
    http.close()
    waymark.kill()
    waymark.start()
    assert stored(waymark) == expected
    assert waymark.stop() == 0
    for name in ("log.db", "state.db", "catalog.db"):
        with sqlite3.connect(small / "data" / name) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()


def send(http: httpx.Client, number: int) -> int:
    return http.post("/v1/events", json=event(number)).status_code


def stored(waymark: Waymark) -> set[str]:
    rows = [row["event_id"] for row in waymark.rows("/v1/events", source=SOURCE)]
    assert len(rows) == len(set(rows))
    return set(rows)


def test_the_log_refuses_whole_groups_on_a_full_disk_and_takes_the_next(small: Path) -> None:
    errors: list[BaseException] = []
    log = SqliteLog(small / "log.db", ManualClock(), on_fatal=errors.append)
    items = [Outgoing("shop", "v", b'{"n":1}')]
    log.append(items)
    filler = fill(small)
    big = [Outgoing("shop", "v", b"x" * 8_000_000)]
    with pytest.raises(UnavailableError, match="full"):
        log.append(big)
    assert "full" in log.trouble
    end = log.end()
    filler.unlink()
    log.append(items)
    assert (log.end(), log.trouble) == (end + 1, "")
    assert [record.body for record in log.read(0, 1 << 20)][-1] == b'{"n":1}'
    log.close()
    assert not errors


def test_states_keep_the_last_commit_on_a_full_disk(small: Path) -> None:
    states = SqliteStates(small / "state.db")
    states.commit(Changes(PartitionMeta(1), {b"a": b"1"}, {}, []))
    filler = fill(small)
    with pytest.raises(UnavailableError, match="full"):
        states.commit(Changes(PartitionMeta(2), {b"a": b"2" * 8_000_000}, {}, []))
    assert (states.get(b"a"), states.meta()) == (b"1", PartitionMeta(1))
    filler.unlink()
    states.commit(Changes(PartitionMeta(2), {b"a": b"2"}, {}, []))
    assert (states.get(b"a"), states.meta()) == (b"2", PartitionMeta(2))
    states.close()
