"""Erasure, moved rows and retention: rows go or change, and the sums follow."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.rows import DeadLetter
from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import InvalidError
from services.loader.chores import StorageRetention
from services.loader.erase import PERSONAL, erase
from services.loader.marks import MarkingSink
from services.loader.migrate import migrate
from services.loader.retention import ROLLUPS_MS, drop_events, drop_rollups
from services.loader.seal import seal
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from tests.metrics.shop import DAY, HOUR, NOW, SINCE, SOURCE, generate
from tests.support.clock import ManualClock
from tests.support.loading import Shops

TZ = "Asia/Kolkata"
replace = msgspec.structs.replace


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, database="test_upkeep")
    migrate(opened)
    generate(seed=5, visits=200).insert(opened)
    seal(opened, SOURCE, TZ, NOW)
    yield opened
    opened.close()


@pytest.fixture
def sink(storage: ClickHouse) -> MarkingSink:
    return MarkingSink(storage, ManualClock(NOW))


def count(storage: ClickHouse, metric: str = "sessions") -> int:
    query = MetricQuery(metric=metric, source=SOURCE, from_ms=SINCE, to_ms=NOW, now_ms=NOW, tz=TZ)
    (row,) = rows(storage, query)
    (raw,) = rows(storage, replace(query, raw=True))
    assert row == raw
    return int(row["value"])


def sessions_of(storage: ClickHouse, visitors: list[str]) -> list[dict[str, Any]]:
    sql = (
        "SELECT session_id FROM sessions FINAL"
        " WHERE source = {source:String} AND visitor_id IN {visitors:Array(String)}"
    )
    return storage.query(sql, {"source": SOURCE, "visitors": visitors})


def test_a_visitor_is_erased_everywhere_and_from_the_sums(storage: ClickHouse) -> None:
    before = count(storage)
    visitor = "v7"
    mine = sessions_of(storage, [visitor])
    letters = [
        DeadLetter(
            id=text, source=SOURCE, received_ms=NOW, code="c", field="f", message="m", original=text
        )
        for text in ('{"visitor_id":"v7"', '{"visitor_id":"v77"')
    ]
    storage.insert("dead_letters", [msgspec.json.encode(one) for one in letters], "letters")
    went = erase(storage, SOURCE, visitor_id=visitor)
    assert went["sessions"] >= len(mine) > 0
    assert went["dead_letters"] == 1
    for table in PERSONAL:
        left = storage.query(f"SELECT count() AS n FROM {table} WHERE visitor_id = 'v7'")
        elsewhere = storage.query(
            f"SELECT count() AS n FROM {table} WHERE visitor_id = 'v7' AND source = 'other'"
        )
        assert left == elsewhere, table
    assert count(storage) == before - len(mine)
    assert seal(storage, SOURCE, TZ, NOW) > 0
    assert count(storage) == before - len(mine)


def test_a_user_is_erased_with_every_visitor_seen_as_it(storage: ClickHouse) -> None:
    found = storage.query(
        "SELECT DISTINCT visitor_id FROM sessions WHERE source = 'shop' AND user_id = 'u2'"
    )
    erase(storage, SOURCE, user_id="u2")
    visitors = [row["visitor_id"] for row in found]
    assert visitors
    assert sessions_of(storage, visitors) == []
    count(storage)


def test_erasing_names_exactly_one(storage: ClickHouse) -> None:
    with pytest.raises(InvalidError, match="exactly one"):
        erase(storage, SOURCE)


def test_a_signal_taken_back_and_stated_on_another_day_is_counted_once(
    storage: ClickHouse, sink: MarkingSink
) -> None:
    before = count(storage, "signals")
    row = storage.query(
        "SELECT * FROM signals FINAL WHERE source = {source:String} AND at_ms < {before:Int64}"
        " AND NOT (retracted OR bot OR test OR excluded) LIMIT 1",
        {"source": SOURCE, "before": NOW - 25 * DAY},
    )[0]
    gone = row | {"version": 1 << 41, "deleted": 1}
    moved = row | {"version": 1 << 41, "at_ms": int(row["at_ms"]) + 20 * DAY}
    sink.insert("signals", [msgspec.json.encode(one) for one in (gone, moved)], "move")
    assert count(storage, "signals") == before


def test_raw_events_go_when_sealed_and_stay_counted(storage: ClickHouse) -> None:
    seal(storage, SOURCE, TZ, NOW)
    before = count(storage, "events")
    query = MetricQuery(metric="events", source=SOURCE, from_ms=SINCE, to_ms=NOW, now_ms=NOW, tz=TZ)
    kept_a_day = StorageRetention(storage, Shops(), lambda: NOW, DAY)
    assert kept_a_day.run() > 0
    (row,) = rows(storage, query)
    assert row["value"] == before
    (left,) = storage.query("SELECT min(ts_ms) AS first FROM events WHERE source = 'shop'")
    assert NOW - 7 * DAY < left["first"] < NOW - 3 * DAY, "what a late event may join stays"
    assert StorageRetention(storage, Shops(), lambda: NOW, DAY).run() == 0


def test_raw_events_that_are_not_sealed_stay(storage: ClickHouse) -> None:
    open_ones = f"SELECT count() AS n FROM events WHERE ts_ms >= {NOW - 12 * HOUR}"
    before = storage.query(open_ones)
    assert drop_events(storage, SOURCE, NOW) > 0
    assert storage.query(open_ones) == before != [{"n": 0}]
    assert drop_events(storage, SOURCE, NOW) == 0


def test_roll_ups_go_after_25_months_and_answers_stay(storage: ClickHouse) -> None:
    before = count(storage)
    drop_rollups(storage, NOW + ROLLUPS_MS - 10 * DAY)
    left = storage.query("SELECT min(t) AS first FROM rollup_sessions WHERE source = 'shop'")
    assert int(left[0]["first"]) >= NOW - 10 * DAY
    assert count(storage) == before
