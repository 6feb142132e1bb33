"""``waymark replay``: a file through the ingest API, as a storefront would send it."""

import signal
import time
from pathlib import Path
from typing import Any

from tests.cli.conftest import Shop
from tests.cli.test_running import now_ms, view, write
from tests.support.commands import Commands
from tests.support.process import eventually


def stored(shop: Shop, visitor: str) -> list[dict[str, object]]:
    return shop.rows("events", source="shop", visitor_id=visitor)


def replay(shop: Shop, *args: Any) -> tuple[int, str, str]:
    done = shop("replay", *args, "--to", shop.url, "--key", shop.key())
    return done.status, done.out, done.err


def test_rejected_lines_are_named_and_the_rest_is_taken_once(shop: Shop, tmp_path: Path) -> None:
    at_ms = now_ms() - 60_000
    file = write(
        tmp_path / "a.ndjson", view("p1", at_ms), view("null", at_ms), "{", view("p1", at_ms)
    )
    status, out, err = replay(shop, file)
    assert (status, out) == (1, "2 accepted, 2 rejected\n")
    assert f"{file}, line 2: visitor_id:" in err
    assert f"{file}, line 3: not a JSON object" in err
    assert replay(shop, file, "--from-line", 4)[:2] == (0, "1 accepted, 0 rejected\n")
    eventually(lambda: len(stored(shop, "p1")) == 2)
    time.sleep(0.6)  # the loader's next turn
    assert len(stored(shop, "p1")) == 2, "equal lines are two events, sent again they are repeats"


def test_a_wrong_key_and_a_wrong_format_end_it_at_once(shop: Shop, tmp_path: Path) -> None:
    file = write(tmp_path / "a.ndjson", view("p2", now_ms()))
    wrong = shop("replay", file, "--to", shop.url, "--key", "wk_wrong")
    assert (wrong.status, "401" in wrong.err) == (2, True)
    status, _, err = replay(shop, file, "--format", "xml")
    assert (status, "'xml'" in err) == (2, True)
    status, _, err = replay(shop, tmp_path / "none.ndjson")
    assert (status, "none.ndjson" in err) == (2, True)


def test_an_old_file_comes_as_if_it_ended_now(shop: Shop, tmp_path: Path) -> None:
    old = 1_600_000_000_000
    file = write(tmp_path / "a.ndjson", view("p3", old), view("p3", old + 90_000))
    assert replay(shop, file)[0] == 1, "too old for the live API"
    before_ms = now_ms()
    assert replay(shop, file, "--shift-to-now")[0] == 0
    after_ms = now_ms()
    rows = eventually(lambda: len(found := stored(shop, "p3")) == 2 and found)
    first, last = sorted(int(str(row["ts_ms"])) for row in rows)
    assert last - first == 90_000
    assert before_ms <= last <= after_ms


def test_a_rate_is_kept(shop: Shop, tmp_path: Path) -> None:
    file = write(tmp_path / "a.ndjson", *[view("p4", now_ms() + n - 1_000) for n in range(30)])
    started = time.monotonic()
    assert replay(shop, file, "--rate", 15)[0] == 0
    assert time.monotonic() - started >= 2.0


def test_a_server_that_dies_half_way_costs_nothing(
    commands: Commands, still: Shop, tmp_path: Path
) -> None:
    still.start()
    url, key = still.url, still.key()
    file = write(tmp_path / "a.ndjson", *[view("p5", now_ms() + n - 9_000) for n in range(900)])
    args = ("replay", file, "--to", url, "--key", key, "--rate", 30)
    pid, output = commands.start(*args, "--patience", 0)
    eventually(lambda: len(stored(still, "p5")) >= 40)
    still.stop(signal.SIGKILL)
    assert commands.wait(pid) == 3
    told = output.with_suffix(".err").read_text()
    line = int(told.split("--from-line ")[1].split()[0])
    assert 41 <= line < 900
    still.start(port=int(url.rsplit(":", 1)[1]))
    again = commands.run(*args[:-2], "--from-line", line)
    assert (again.status, again.out) == (0, f"{901 - line} accepted, 0 rejected\n")
    eventually(lambda: len(stored(still, "p5")) == 900)
