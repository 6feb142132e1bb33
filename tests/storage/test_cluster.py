"""The schema of a cluster: the same migrations, rendered; executed as far as one engine can."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from schemas.rows import OrderRow
from schemas.spans import DAY_MS
from services.common.clickhouse import CLUSTER as CLUSTER_SETTINGS
from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import InvalidError
from services.loader.cluster import SHARDED, altered, rendered
from services.loader.migrate import migrate, migrations
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from services.rollups.facts import FACTS

CLUSTER = "shops"
NOW = 1_790_000_000_000


def all_rendered() -> list[str]:
    return [
        part
        for migration in migrations()
        for statement in migration.statements
        for part in rendered(statement, CLUSTER)
    ]


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, database="test_cluster")
    yield opened
    opened.close()


def test_every_statement_is_rendered_into_a_local_and_a_spread_table() -> None:
    whole = [one for migration in migrations() for one in migration.statements]
    parts = all_rendered()
    assert len(parts) == 2 * len(whole)
    assert all(f"ON CLUSTER '{CLUSTER}'" in part for part in parts)
    for local, spread in zip(parts[::2], parts[1::2], strict=True):
        assert "ENGINE = Replicated" in local
        assert "non_replicated" not in local
        assert "Distributed('shops', currentDatabase(), " in spread


def test_rows_are_spread_by_visitor_and_sums_by_source() -> None:
    spread = {re.findall(r"EXISTS (\w+)", part)[0]: part for part in all_rendered()[1::2]}
    for table in ("event_flags", "sessions", "carts", "orders", "signals"):
        assert spread[table].endswith("cityHash64(source, visitor_id))")
    for fact in FACTS.values():
        if not fact.whole:
            assert spread[f"rollup_{fact.name}"].endswith("cityHash64(source))")
    assert SHARDED.keys() - spread.keys() == {"migrations"}


def test_all_versions_of_a_row_meet_on_one_shard() -> None:
    """What a table is spread by stays the same through a row's versions: its key, or its owner."""
    for migration in migrations():
        for statement in migration.statements:
            name = re.findall(r"EXISTS (\w+)", statement)[0]
            if "Replacing" not in statement or name not in SHARDED:
                continue
            spread = set(re.findall(r"\w+", SHARDED[name])) - {"cityHash64"}
            key = set(re.findall(r"\w+", re.findall(r"ORDER BY \((.*)\)", statement)[0]))
            assert spread <= key | {"visitor_id"}, name


def test_the_engine_understands_the_local_tables(storage: ClickHouse) -> None:
    """One engine has neither Keeper nor a cluster: the rest of each statement is executed."""
    for part in all_rendered()[::2]:
        alone = part.replace(f" ON CLUSTER '{CLUSTER}'", "")
        alone = re.sub(r"Replicated(\w+)\('/[^']*', '[^']*'(?:, )?", r"\1(", alone)
        storage.command(alone.replace("replicated_dedup", "non_replicated_dedup"))
    found = storage.query("SELECT name FROM system.tables WHERE database = 'test_cluster'")
    assert len(found) == len(all_rendered()) // 2


def orders() -> list[bytes]:
    """Ann buys at her phone, then near the time asked for at her laptop; Bob once, Cid long ago."""
    bought = (("phone", "ann", 20), ("laptop", "ann", 1), ("bob", "", 1), ("cid", "", 20))
    return [
        msgspec.json.encode(
            OrderRow(
                source="shop", visitor_id=visitor, user_id=user, order_id=f"o{n}", event_id=f"e{n}",
                at_ms=NOW - days * DAY_MS, currency="EUR", value=100, version=1 + n,
            )
        )
        for n, (visitor, user, days) in enumerate(bought)
    ]  # fmt: skip


def test_buyers_are_found_over_tables_that_are_spread(chdb_dsn: str) -> None:
    """Their orders are picked by one question inside another, of the same spread table.

    One engine has no cluster, but asks a table that two shards have: each row comes twice, and
    buyers, who are distinct, once.
    """
    whole = open_storage(chdb_dsn, database="test_shard")
    migrate(whole)
    whole.insert("orders", orders(), "orders")
    spread = open_storage(chdb_dsn, database="test_spread", settings=CLUSTER_SETTINGS)
    shards = "remote('127.0.0.1,127.0.0.1', 'test_shard', 'orders')"
    spread.command(f"CREATE TABLE IF NOT EXISTS orders AS {shards}")
    assert spread.query("SELECT count() AS n FROM orders FINAL") == [{"n": 2 * len(orders())}]
    asked = MetricQuery(
        metric="repeat_purchase_rate",
        source="shop",
        from_ms=NOW - 2 * DAY_MS,
        to_ms=NOW,
        now_ms=NOW,
    )
    (alone,), (together,) = rows(whole, asked), rows(spread, asked)
    assert (together["k"], together["n"]) == (alone["k"], alone["n"]) == (1, 2)
    whole.close()
    spread.close()


def test_a_later_column_is_added_to_both() -> None:
    assert rendered("ALTER TABLE carts ADD COLUMN note String", CLUSTER) == [
        "ALTER TABLE carts_local ON CLUSTER 'shops' ADD COLUMN note String",
        "ALTER TABLE carts ON CLUSTER 'shops' ADD COLUMN note String",
    ]


def test_a_single_server_takes_the_statements_as_they_are() -> None:
    for migration in migrations():
        for statement in migration.statements:
            assert rendered(statement, "") == [statement]
    assert altered("events", "") == "events"
    assert altered("events", CLUSTER) == "events_local ON CLUSTER 'shops'"


def test_what_cannot_be_rendered_and_names_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidError, match="DROP TABLE events"):
        rendered("DROP TABLE events", CLUSTER)
    with pytest.raises(InvalidError, match="WAYMARK_CLICKHOUSE_CLUSTER"):
        altered("events", "a' b")
