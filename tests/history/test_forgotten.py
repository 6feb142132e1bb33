"""What a rebuild or a trial cannot fold is said, and by an import what soon cannot be folded."""

from pathlib import Path
from typing import Any

import msgspec

from services.common.ports import Outgoing, nothing
from services.loader.chores import Sealing, StorageRetention
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import import_file, rebuild_source, try_policy
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

START_MS = 1_790_000_000_000
YEAR_MS = 365 * 86_400_000


def visit(visitor: str, at_ms: int) -> dict[str, Any]:
    return {"type": "page_view", "visitor_id": visitor, "event_id": visitor, "ts_ms": at_ms}


def test_a_rebuild_and_a_trial_say_that_raw_events_are_gone(tmp_path: Path, chdb_dsn: str) -> None:
    file = tmp_path / "past.ndjson"
    past = [visit("old", START_MS - 3 * YEAR_MS), visit("new", START_MS - YEAR_MS)]
    file.write_bytes(b"\n".join(map(msgspec.json.encode, past)))
    clock = ManualClock(START_MS)
    with installation(tmp_path / "data", chdb_dsn, "forgotten", clock) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        assert rebuild_source(context, {}).note == "source shop has no events yet"
        told = import_file(context, {"file": str(file)}).note
        assert told.startswith("1 of 2 events are older than WAYMARK_EVENTS_KEEP_DAYS = 400 days")
        assert "set it higher" in told
        assert rebuild_source(context, {}).note == "", "all is there"

        def drop(which: str) -> None:
            parts.storage.command(
                f"ALTER TABLE events DELETE WHERE {which} SETTINGS mutations_sync = 2"
            )

        drop("visitor_id = 'old'")
        summary = rebuild_source(context, {})
        assert summary.note.startswith("source shop has raw events from 2025-09-21 on only: raw")
        assert "WAYMARK_EVENTS_KEEP_DAYS = 400 days" in summary.note
        assert (summary.tables["sessions"].same, summary.tables["sessions"].deleted) == (1, 0)
        recent = rebuild_source(context, {"from_ms": START_MS - YEAR_MS})
        assert recent.note == "", "the range asked for is all there"

        drop("1")
        tried = try_policy(context, {"policy": "", "from_ms": 0, "to_ms": START_MS})
        assert (tried.events, tried.now.sessions) == (0, 0)
        assert tried.note.startswith("source shop has no raw events: raw events are kept for")


def test_the_daily_clean_up_leaves_what_an_import_has_not_folded_yet(
    tmp_path: Path, chdb_dsn: str
) -> None:
    file = tmp_path / "past.ndjson"
    ages = (3 * YEAR_MS, YEAR_MS + YEAR_MS // 10)  # one older than any roll-up
    past = [visit(f"v{number}", START_MS - ages[number % 2] + number) for number in range(20)]
    file.write_bytes(b"\n".join(map(msgspec.json.encode, past)))
    clock = ManualClock(START_MS)
    with installation(tmp_path / "data", chdb_dsn, "cleaned", clock) as parts:

        def clean() -> int:
            Sealing(parts.storage, parts.catalog, clock.now_ms).run()
            return StorageRetention(parts.storage, parts.catalog, clock.now_ms, YEAR_MS).run()

        went: list[int] = []

        def between(_done: int, _of: int | None, what: str) -> None:
            if what == "recomputing" and not went:
                went.append(clean())

        context = AdminContext(parts=parts, progress=between, running=False)
        made = import_file(context, {"file": str(file)})
        assert (made.events, made.rebuilt.events, went) == (20, 20, [0])
        assert clean() == 20, "once they are folded they go"
        assert len(rows(parts.storage, "sessions")) == 20


def test_a_rebuild_says_why_it_has_nothing_to_compare(tmp_path: Path, chdb_dsn: str) -> None:
    clock = ManualClock(START_MS)
    with installation(tmp_path / "data", chdb_dsn, "young", clock) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        here = visit("here", START_MS) | {"source": "shop", "received_ms": START_MS}
        parts.log.append([Outgoing("shop", "here", msgspec.json.encode(here))])
        for _ in range(6):
            clock.move(10_000)
            parts.log.append([Outgoing("", "", b'{"type":"__tick"}')])
        parts.engine.catch_up()
        young = rebuild_source(context, {"dry_run": True})
        assert young.events == 1
        assert young.note.startswith("nothing has closed yet: every visitor has a session or a")
        unmarked = rebuild_source(context, {"marked": True, "dry_run": True})
        assert unmarked.note == "nobody is marked: no event came too late to be folded in"
        before = rebuild_source(context, {"from_ms": 0, "to_ms": 1, "dry_run": True})
        assert before.note == "nobody has an event between from and to"
