"""``waymark dlq retry``: a mended event goes into the log and leaves the list."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.rows import DeadLetter
from services.common.errors import InvalidError
from services.common.ports import nothing
from services.standalone.admin.context import AdminContext
from services.standalone.admin.letters import list_letters, retry, show_letter
from services.standalone.parts import Parts
from tests.history.installation import installation, rows
from tests.support.clock import ManualClock

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


@pytest.fixture
def parts(tmp_path: Path, chdb_dsn: str, request: pytest.FixtureRequest) -> Iterator[Parts]:
    database = f"letters_{abs(hash(request.node.name))}"
    with installation(tmp_path / "data", chdb_dsn, database, ManualClock(NOW_MS)) as opened:
        yield opened


@pytest.fixture
def context(parts: Parts) -> AdminContext:
    return AdminContext(parts=parts, progress=nothing, running=False)


def keep(parts: Parts, letter_id: str, at_ms: int, **more: str) -> None:
    event = {"type": "page_view", "event_id": letter_id, "visitor_id": "v1", "ts_ms": at_ms}
    letter = DeadLetter(
        id=letter_id, source="shop", received_ms=NOW_MS, code="invalid_field", field="type",
        message="then it was wrong", original=msgspec.json.encode(event).decode(),
    )  # fmt: skip
    line = msgspec.json.encode(msgspec.structs.replace(letter, **more))
    parts.storage.insert("dead_letters", [line], "")


def test_a_mended_event_goes_into_the_log_and_leaves_the_list(
    parts: Parts, context: AdminContext
) -> None:
    keep(parts, "mended", NOW_MS - HOUR_MS)
    before = parts.log.end()
    result = retry(context, {"ids": ["mended"]})
    assert (result.accepted, result.refused) == (["mended"], [])
    (record,) = parts.log.read(before, 1_000)
    assert msgspec.json.decode(record.body)["event_id"] == "mended"
    assert list_letters(context, {}) == []
    with pytest.raises(InvalidError, match="no refused event mended"):
        show_letter(context, {"id": "mended"})


def test_one_too_old_for_the_live_way_goes_the_way_of_history(
    parts: Parts, context: AdminContext
) -> None:
    keep(parts, "aged", NOW_MS - 100 * HOUR_MS)
    before = parts.log.end()
    assert retry(context, {"ids": ["aged"]}).accepted == ["aged"]
    assert parts.log.end() == before
    (session,) = rows(parts.storage, "sessions")
    assert (session["visitor_id"], session["started_ms"]) == ("v1", NOW_MS - 100 * HOUR_MS)
    assert list_letters(context, {}) == []


def test_what_is_still_wrong_stays_with_the_reason(parts: Parts, context: AdminContext) -> None:
    keep(parts, "wrong", NOW_MS, original='{"type":"page_view","ts_ms":1790000000000}')
    keep(parts, "gone", NOW_MS, source="closed")
    keep(parts, "inner", NOW_MS, topic="sessions")
    result = retry(context, {"ids": ["wrong", "gone", "inner"]})
    told = {one.id: one.message for one in result.refused}
    assert result.accepted == []
    assert "visitor_id" in told["wrong"]
    assert "source 'closed' does not exist" in told["gone"]
    assert "refused by sessions" in told["inner"]
    assert {row["id"] for row in list_letters(context, {})} == {"wrong", "inner"}


def test_a_letter_that_is_not_there_is_named(context: AdminContext) -> None:
    with pytest.raises(InvalidError, match="no refused event nothing"):
        retry(context, {"ids": ["nothing"]})
