"""The nightly rebuild: late events are folded in once the night has come, and only once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from services.common.ports import Outgoing
from services.common.sites import site_of
from services.history.nightly import Nightly
from services.standalone.admin.call import Runner
from services.standalone.admin.commands import all_commands
from services.standalone.parts import Parts
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

EVENING_MS = 1_790_020_800_000  # 20:00 UTC
MINUTE_MS = 60_000
TICK = Outgoing("", "", b'{"type":"__tick"}')


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(EVENING_MS)


@pytest.fixture
def parts(
    tmp_path: Path, chdb_dsn: str, clock: ManualClock, request: pytest.FixtureRequest
) -> Iterator[Parts]:
    database = f"nightly_{abs(hash(request.node.name))}"
    with installation(tmp_path / "data", chdb_dsn, database, clock) as opened:
        yield opened


@pytest.fixture
def nightly(parts: Parts, clock: ManualClock) -> Nightly:
    return Nightly(Runner(parts, all_commands()).run, parts.catalog, clock)


def view(
    parts: Parts, clock: ManualClock, event_id: str, at_ms: int, kind: str = "page_view"
) -> None:
    source = parts.catalog.source("shop")
    assert source is not None
    site = site_of(source, parts.rules("shop").policy)
    context = Context(site=site, received_ms=clock.now_ms(), new_id=lambda: "never")
    event = {"type": kind, "event_id": event_id, "visitor_id": "v1", "ts_ms": at_ms}
    found = prepare(msgspec.json.encode(event | {"url": "https://shop.example/"}), context)
    assert isinstance(found, Prepared), found
    parts.log.append([Outgoing("shop", found.address, found.line)])


def pass_minutes(parts: Parts, clock: ManualClock, minutes: int) -> None:
    for _ in range(minutes * 6):
        clock.move(10_000)
        parts.log.append([TICK])
    parts.engine.catch_up()


def visits(parts: Parts) -> list[tuple[int, int]]:
    """Return start and page views of every session."""
    found = rows(parts.storage, "sessions")
    return sorted((row["started_ms"] - EVENING_MS, row["page_views"]) for row in found)


def marks(parts: Parts) -> list[dict[str, Any]]:
    return rows(parts.storage, "event_flags")


def late(parts: Parts, clock: ManualClock) -> None:
    """Let a visit close, then bring a page of it that was under way for half an hour."""
    view(parts, clock, "first", EVENING_MS)
    pass_minutes(parts, clock, 35)
    view(parts, clock, "late", EVENING_MS + MINUTE_MS)
    pass_minutes(parts, clock, 2)
    assert visits(parts) == [(0, 1)]
    assert len(marks(parts)) == 1


def test_a_late_event_is_folded_in_at_night_and_its_mark_is_gone(
    parts: Parts, clock: ManualClock, nightly: Nightly
) -> None:
    late(parts, clock)
    clock.move(8 * 60 * MINUTE_MS)
    assert nightly.run() == ["shop"]
    assert visits(parts) == [(0, 2)]
    assert marks(parts) == []


def test_a_second_night_changes_nothing(parts: Parts, clock: ManualClock, nightly: Nightly) -> None:
    late(parts, clock)
    clock.move(8 * 60 * MINUTE_MS)
    nightly.run()
    everything = "SELECT count() AS n, sum(version) AS versions FROM sessions"
    before = parts.storage.query(everything)
    assert nightly.run() == []
    clock.move(24 * 60 * MINUTE_MS)
    assert nightly.run() == ["shop"]
    assert parts.storage.query(everything) == before


def test_a_mark_waits_for_what_is_still_open(
    parts: Parts, clock: ManualClock, nightly: Nightly
) -> None:
    late(parts, clock)
    view(parts, clock, "bridge", EVENING_MS + 15 * MINUTE_MS)  # late as well
    view(parts, clock, "now", clock.now_ms())
    pass_minutes(parts, clock, 1)
    view(parts, clock, "bridge-2", EVENING_MS + 25 * MINUTE_MS)
    pass_minutes(parts, clock, 2)
    nightly.run()
    assert len(marks(parts)) == 3, "the visit reaches from the evening into what is open now"
    pass_minutes(parts, clock, 35)
    clock.move(24 * 60 * MINUTE_MS)
    nightly.run()
    assert visits(parts) == [(0, 5)]
    assert marks(parts) == []


def test_a_signal_that_moves_past_midnight_stands_once(
    parts: Parts, clock: ManualClock, nightly: Nightly
) -> None:
    before_midnight = EVENING_MS + 4 * 60 * MINUTE_MS - 30 * MINUTE_MS - 5_000
    clock.move(before_midnight - clock.now_ms())
    view(parts, clock, "first", before_midnight)
    pass_minutes(parts, clock, 35)
    view(parts, clock, "late", before_midnight + 9_000, "click")
    pass_minutes(parts, clock, 2)
    clock.move(4 * 60 * MINUTE_MS)
    nightly.run()
    bounces = [row for row in rows(parts.storage, "signals") if row["kind"] == "bounce"]
    assert [row["at_ms"] - before_midnight for row in bounces] == [9_000 + 30 * MINUTE_MS]
