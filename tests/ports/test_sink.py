"""The Sink port: one suite, run against embedded ClickHouse and the sink in memory."""

from collections.abc import Iterator

import msgspec
import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.loader.migrate import migrate
from tests.support.memory import MemorySink

Sink = ClickHouse | MemorySink


def flag(event_id: str, version: int = 1) -> bytes:
    row = {"source": "shop", "visitor_id": "v", "event_id": event_id, "ts_ms": 1_790_000_000_000}
    return msgspec.json.encode(row | {"flag": "late", "version": version})


@pytest.fixture(params=["chdb", "memory"])
def sink(request: pytest.FixtureRequest) -> Iterator[Sink]:
    if request.param == "memory":
        yield MemorySink()
        return
    storage = open_storage(request.getfixturevalue("chdb_dsn"), "ports")
    migrate(storage)
    yield storage
    storage.command("DROP DATABASE ports")
    storage.close()


def stored(sink: Sink) -> list[str]:
    """Return the ids that stand in the table, each as often as it stands there."""
    if isinstance(sink, MemorySink):
        rows = sink.tables.get("event_flags", [])
    else:
        rows = sink.query("SELECT event_id FROM event_flags")
    return sorted(str(row["event_id"]) for row in rows)


def test_inserted_rows_are_there(sink: Sink) -> None:
    sink.insert("event_flags", [flag("a"), flag("b")], "one")
    assert stored(sink) == ["a", "b"]


def test_no_rows_are_no_insert(sink: Sink) -> None:
    sink.insert("event_flags", [], "one")
    assert stored(sink) == []


def test_the_same_token_again_changes_nothing(sink: Sink) -> None:
    sink.insert("event_flags", [flag("a")], "one")
    sink.insert("event_flags", [flag("a")], "one")
    assert stored(sink) == ["a"]


def test_another_token_inserts(sink: Sink) -> None:
    sink.insert("event_flags", [flag("a")], "one")
    sink.insert("event_flags", [flag("b")], "two")
    assert stored(sink) == ["a", "b"]


def test_what_a_restarted_loader_inserts_again_is_one_row_to_readers(chdb_dsn: str) -> None:
    storage = open_storage(chdb_dsn, "repeats")
    migrate(storage)
    for token in ("before the crash", "after it"):
        storage.insert("event_flags", [flag("a"), flag("b")], token)
    found = storage.query("SELECT event_id FROM event_flags FINAL ORDER BY event_id")
    storage.command("DROP DATABASE repeats")
    storage.close()
    assert [row["event_id"] for row in found] == ["a", "b"]


def test_text_of_any_kind_survives(sink: Sink) -> None:
    names = ["läden ✓", 'quo"te', "back\\slash", "new\nline", "客"]
    sink.insert("event_flags", [flag(name) for name in names], "one")
    assert stored(sink) == sorted(names)
