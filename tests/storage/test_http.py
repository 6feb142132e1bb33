"""The same storage over ClickHouse's HTTP interface: one client library, two addresses."""

from collections.abc import Iterator

import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import InvalidError
from services.loader.migrate import migrate
from services.loader.seal import seal
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from tests.metrics.shop import NOW, SINCE, SOURCE, generate
from tests.support.clickhouse_http import clickhouse_over_http


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    with clickhouse_over_http(chdb_dsn.removeprefix("chdb://")) as address:
        opened = open_storage(f"{address}/test_http")
        migrate(opened)
        yield opened
        opened.close()


def test_rows_go_in_and_numbers_come_out_of_both_tiers(storage: ClickHouse) -> None:
    shop = generate(seed=3, visits=60)
    for _ in range(2):  # a repeat with the same tokens
        shop.insert(storage)
    query = MetricQuery(
        metric="sessions", source=SOURCE, from_ms=SINCE, to_ms=NOW, now_ms=NOW, step="1h"
    )
    before = rows(storage, query)
    assert sum(row["value"] for row in before) > 0
    assert seal(storage, SOURCE, "UTC", NOW) > 0
    assert rows(storage, query) == before
    (counted,) = storage.query("SELECT count() AS n FROM sessions")
    assert counted["n"] == len(shop.sessions)


def test_values_are_bound_and_rows_streamed(storage: ClickHouse) -> None:
    both = {"one": "it's \\ a\ttab", "many": ["ü", ""]}
    assert storage.query("SELECT {one:String} AS one, {many:Array(String)} AS many", both) == [both]
    assert len(list(storage.stream("SELECT number FROM numbers(70000)"))) == 70_000


def test_a_refusal_keeps_its_reason(storage: ClickHouse) -> None:
    with pytest.raises(InvalidError, match="UNKNOWN_IDENTIFIER"):
        storage.query("SELECT nonsense")
