"""The head of a public shop, replayed over HTTP as if it ended now, gives what its import does."""

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.standalone.waymark import Waymark
from tests.support.commands import Commands
from tests.support.process import eventually

LINES = 3_000
FORMAT = ("--format", "rees46")
POLICY = """
[time]
grace_ms = 1_000
stall_ms = 600_000
lag_hold_max_ms = 15_000
emit_every_ms = 1_000
"""
"""Who came with old times is judged when the file is surely through, not half an hour on."""
GAP_MS = 30 * 60_000
OVER_FOR_MS = 10 * 60_000
"""Visits that are over for so long are closed on both sides, whatever time the test takes."""
OF_THE_PLACE = {"session_id", "source"}
TIMES = {"started_ms", "ended_ms"}

Row = dict[str, Any]


@pytest.mark.timeout(240)
def test_the_public_shop_replayed_at_full_speed_has_the_sessions_of_its_import(
    make: Callable[..., Waymark], commands: Commands, tmp_path: Path, test_data: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    waymark = make(policy=policy)
    waymark.start()
    file = head(test_data / "rees46-2019-oct.csv.gz", tmp_path / "head.csv")
    told = called(waymark, commands, "import", file, *FORMAT, "--source", past(waymark, commands))
    assert told[0]["events"] == LINES
    told = called(
        waymark, commands, "replay", file, *FORMAT, "--shift-to-now", "--to", waymark.url,
        "--key", waymark.key(),
    )  # fmt: skip
    assert told == {"accepted": LINES, "rejected": []}
    imported = list(waymark.rows("/v1/sessions", source="past", **{"from": "2019-10-01T00:00:00Z"}))
    last_ms = max(row["ended_ms"] for row in imported)
    want = closed(imported, last_ms)
    assert len(want) > 100
    assert any(row["orders"] for row in want.values())

    def replayed() -> list[Row]:
        """Return the sessions once all of them are there and none is open that should not be."""
        rows = list(waymark.rows("/v1/sessions", source="shop"))
        over = [row for row in rows if row["ended_ms"] < newest(rows) - GAP_MS - OVER_FOR_MS]
        there = len(rows) == len(imported) and sum(row["events"] for row in rows) == LINES
        return rows if there and not any(row["open"] for row in over) else []

    rows = eventually(replayed, 120)
    assert closed(rows, newest(rows)) == want


def newest(rows: list[Row]) -> int:
    return max((row["ended_ms"] for row in rows), default=0)


def head(whole: Path, file: Path) -> Path:
    with gzip.open(whole) as lines:
        file.write_bytes(b"".join(itertools.islice(lines, LINES + 1)))
    return file


def past(waymark: Waymark, commands: Commands) -> str:
    """Make the source that is imported into, like the one that is sent to."""
    shop = called(waymark, commands, "sources", "ls")[0]
    called(waymark, commands, "sources", "set", "past", "--currency", shop["currency"])
    return "past"


def called(waymark: Waymark, commands: Commands, *args: object) -> Any:
    done = commands.run(*args, "--json", **waymark.environ)
    assert done.status == 0, done.err
    return done.json()


def closed(rows: list[Row], last_ms: int) -> dict[tuple[str, int], Row]:
    """Return the sessions that were over, by visitor and time before the file's last event.

    Ids are made of times, so they differ; of a cart's it counts that there is one.
    """
    found = {}
    for row in rows:
        if row["ended_ms"] < last_ms - GAP_MS - OVER_FOR_MS:
            times = {name: last_ms - row[name] for name in TIMES}
            plain = {name: value for name, value in row.items() if name not in OF_THE_PLACE}
            cart = {"cart_id": bool(row["cart_id"]), "cart_outcome": left(row["cart_outcome"])}
            found[row["visitor_id"], times["started_ms"]] = plain | times | cart
    return found


def left(outcome: str) -> str:
    """Return a cart's outcome as of the day itself: a left cart is lost for good a week on."""
    return "abandoned" if outcome == "lost" else outcome
