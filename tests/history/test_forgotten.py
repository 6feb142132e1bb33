"""Raw events that retention has dropped: what cannot be folded again is said, nothing is lost."""

from pathlib import Path
from typing import Any

import msgspec

from services.common.ports import nothing
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import import_file, rebuild_source, try_policy
from tests.history.installation import installation
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
        import_file(context, {"file": str(file)})
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
