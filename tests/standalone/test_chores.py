"""Chores: what runs when, and what of storage goes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.common.catalog import Catalog
from services.common.catalog_rows import Source
from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import UnavailableError
from services.common.ports import Outgoing
from services.history.nightly import Nightly
from services.loader.chores import Sealing, StorageRetention
from services.loader.importing import importing
from services.loader.migrate import migrate
from services.standalone.log import SqliteLog
from services.standalone.upkeep import Upkeep
from tests.support.clock import ManualClock

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    made = open_storage(chdb_dsn, "chores")
    migrate(made)
    yield made
    made.command("DROP DATABASE chores")
    made.close()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "catalog.db", ManualClock())
    made.put_source(Source(name="berlin", timezone="Europe/Berlin"))
    made.put_source(Source(name="tokyo", timezone="Asia/Tokyo"))
    yield made
    made.close()


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_each_source_is_rebuilt_once_in_its_own_night(catalog: Catalog) -> None:
    clock = ManualClock(at("2026-11-20T12:00:00"))
    done: list[tuple[str, dict[str, Any]]] = []
    nightly = Nightly(lambda name, args: done.append((name, args)), catalog, clock)
    assert nightly.run() == [], "not at once after a start"
    clock.move(10 * 60_000)
    assert nightly.run() == ["berlin", "tokyo"], "a while after it"
    assert done[0] == ("rebuild", {"source": "berlin", "marked": True})
    assert nightly.run() == []
    clock.move(at("2026-11-20T18:01:00") - clock.now_ms())  # three in the morning in Tokyo
    assert nightly.run() == ["tokyo"]
    clock.move(at("2026-11-21T02:01:00") - clock.now_ms())  # and in Berlin
    assert nightly.run() == ["berlin"]


def test_a_chore_that_cannot_be_done_now_does_not_stop_the_others() -> None:
    done: list[str] = []

    def refuse() -> None:
        raise UnavailableError("storage sleeps")

    upkeep = Upkeep((refuse,))
    upkeep.add(lambda: done.append("second"))
    assert upkeep.turn() > 0
    assert (done, upkeep.trouble) == (["second"], "storage sleeps")


def test_raw_events_go_when_old_and_sealed_once_a_day(
    storage: ClickHouse, catalog: Catalog, tmp_path: Path
) -> None:
    for number, day in enumerate(("2026-08-30", "2026-09-03", "2026-11-20")):
        row = {"source": "berlin", "address": "v", "event_id": str(number), "version": 1}
        row |= {"type": "page_view", "visitor_id": "v", "ts_ms": at(f"{day}T12:00:00")}
        storage.insert("events", [msgspec.json.encode(row)], str(number))
    clock = ManualClock(at("2026-11-21T00:00:00"))
    errors: list[BaseException] = []
    log = SqliteLog(tmp_path / "log.db", clock, on_fatal=errors.append)
    log.append([Outgoing("", "", b'{"type":"__tick"}')])
    retention = StorageRetention(storage, catalog, log.append_ms, 81 * DAY)
    assert retention.run() == 0, "what is not sealed stays"
    Sealing(storage, catalog, log.append_ms).run()
    assert retention.run() == 0, "once a day"
    clock.move(DAY)
    log.append([Outgoing("", "", b'{"type":"__tick"}')])
    assert retention.run() == 1
    kept = storage.query("SELECT event_id FROM events FINAL ORDER BY event_id")
    assert [row["event_id"] for row in kept] == ["1", "2"]
    log.close()
    assert not errors


def test_raw_events_stay_while_an_import_may_not_have_folded_them(
    storage: ClickHouse, catalog: Catalog
) -> None:
    for source in ("berlin", "tokyo"):
        row = {"source": source, "address": "v", "event_id": "1", "version": 1}
        row |= {"type": "page_view", "visitor_id": "v", "ts_ms": at("2026-08-30T12:00:00")}
        storage.insert("events", [msgspec.json.encode(row)], source)
    now_ms = at("2026-11-21T00:00:00")
    Sealing(storage, catalog, lambda: now_ms).run()

    def clean() -> int:
        return StorageRetention(storage, catalog, lambda: now_ms, 30 * DAY).run()

    died = "INSERT INTO imports (source, id, seen) SELECT 'berlin', 'died', now() - INTERVAL "
    storage.command(f"{died} 23 HOUR")
    with importing(storage, "tokyo"):
        with importing(storage, "tokyo"):
            assert clean() == 0
        assert clean() == 0, "one has ended, the other has not"
    assert clean() == 1, "Tokyo's"
    storage.command(f"{died} 25 HOUR")
    assert clean() == 1, "who has died is not waited for longer than a day"
    assert storage.query("SELECT * FROM events FINAL") == []


def test_what_has_settled_is_sealed_source_by_source(
    storage: ClickHouse, catalog: Catalog, tmp_path: Path
) -> None:
    clock = ManualClock(at("2026-11-21T00:00:00"))
    errors: list[BaseException] = []
    log = SqliteLog(tmp_path / "log.db", clock, on_fatal=errors.append)
    log.append([Outgoing("", "", b'{"type":"__tick"}')])
    assert Sealing(storage, catalog, log.append_ms).run() == 0
    row = {"source": "berlin", "address": "v", "visitor_id": "v", "event_id": "1", "version": 1}
    row |= {"type": "page_view", "ts_ms": at("2026-11-10T12:00:00"), "path": "/"}
    storage.insert("events", [msgspec.json.encode(row)], "sealed")
    assert Sealing(storage, catalog, log.append_ms).run() > 0
    log.close()
    assert not errors
