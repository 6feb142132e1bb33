"""The public data sets, imported, against an independent computation over the raw files."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common.clickhouse import ClickHouse
from services.common.ports import nothing
from services.history.rebuild import TABLES
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows as metric_rows
from services.standalone.admin.context import AdminContext
from services.standalone.admin.history import Imported, import_file
from tests.conftest import PROJECT
from tests.history.installation import installation, rows
from tests.history.plain_sql import ask
from tests.support.clock import ManualClock

Sql = Callable[[str], list[list[Any]]]
NOW_MS = 1_795_000_000_000
FROM_MS, TO_MS = 1_569_888_000_000, 1_569_974_400_000
OCTOBER = "rees46-2019-oct.csv.gz"

SESSIONS = """
WITH ordered AS (
    SELECT user_id, event_type, epoch_ms(event_time) AS t, price,
           epoch_ms(event_time) - lag(epoch_ms(event_time))
               OVER (PARTITION BY user_id ORDER BY event_time) AS gap
    FROM raw
), numbered AS (
    SELECT *, sum(CASE WHEN gap IS NULL OR gap > 1800000 THEN 1 ELSE 0 END)
              OVER (PARTITION BY user_id ORDER BY t
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS session
    FROM ordered
)
SELECT user_id, session, min(t) AS started, max(t) - min(t) AS duration,
       count(*) FILTER (event_type = 'view') AS views,
       count(*) FILTER (event_type = 'purchase') AS purchases
FROM numbered GROUP BY ALL
"""


@pytest.fixture(scope="module")
def october(
    test_data: Path, chdb_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Imported, ClickHouse]]:
    """Import the file once."""
    folder = tmp_path_factory.mktemp("october")
    clock = ManualClock(NOW_MS)
    with installation(folder / "data", chdb_dsn, "real_october", clock) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        file = test_data / OCTOBER
        yield import_file(context, {"file": str(file), "format": "rees46"}), parts.storage


@pytest.fixture(scope="module")
def raw(test_data: Path) -> Sql:
    """Return what asks an engine that knows nothing of ours."""
    return lambda sql: ask(test_data / OCTOBER, sql)


def one(raw: Sql, sql: str) -> list[Any]:
    (row,) = raw(sql)
    return row


def metric(storage: ClickHouse, name: str) -> dict[str, Any]:
    (row,) = metric_rows(
        storage,
        MetricQuery(metric=name, source="shop", from_ms=FROM_MS, to_ms=TO_MS, now_ms=NOW_MS),
    )
    return row


def test_the_file_gives_its_known_counts(october: tuple[Imported, ClickHouse]) -> None:
    report, storage = october
    assert (report.events, report.rejected) == (17_434, 1)
    assert report.named[0].message == "8 columns of 9"
    assert report.note.startswith("17434 of 17434 events are older than WAYMARK_EVENTS_KEEP_")
    (found,) = storage.query(
        "SELECT countIf(type = 'product_view') AS views, countIf(type = 'cart_add') AS adds, "
        "countIf(type = 'purchase') AS purchases FROM events FINAL"
    )
    assert found == {"views": 17_055, "adds": 165, "purchases": 214}
    (sessions,) = storage.query("SELECT count() AS n FROM sessions FINAL")
    assert sessions == {"n": 4_518}


def test_sessions_bounce_and_conversion_agree_with_plain_sql(
    october: tuple[Imported, ClickHouse], raw: Sql
) -> None:
    _, storage = october
    n, bounced, bought = one(
        raw,
        "SELECT count(*), count(*) FILTER (views = 1 AND duration <= 10000 AND purchases = 0), "
        f"count(*) FILTER (purchases > 0) FROM ({SESSIONS})",
    )
    (viewed,) = one(raw, f"SELECT count(*) FROM ({SESSIONS}) WHERE views > 0")
    bounce, conversion = metric(storage, "bounce_rate"), metric(storage, "conversion_rate")
    assert (bounce["k"], bounce["n"]) == (bounced, viewed)
    assert (conversion["k"], conversion["n"]) == (bought, n)


def test_orders_and_their_average_value_agree_with_plain_sql(
    october: tuple[Imported, ClickHouse], raw: Sql
) -> None:
    _, storage = october
    orders, revenue = one(raw, "SELECT count(*), sum(price) FROM raw WHERE event_type = 'purchase'")
    value = metric(storage, "average_order_value")
    assert value["n"] == orders
    assert value["value"] == pytest.approx(float(revenue) / orders, abs=1e-4)
    assert metric(storage, "revenue")["value"] == pytest.approx(float(revenue))


def test_abandonment_agrees_with_a_plain_walk_through_the_rows(
    october: tuple[Imported, ClickHouse], raw: Sql
) -> None:
    """Each visitor's rows in order: an add opens, a purchase ends, half an hour's rest leaves."""
    _, storage = october
    found = raw(
        "SELECT user_id, event_type, epoch_ms(event_time) FROM raw ORDER BY user_id, event_time, "
        "CASE event_type WHEN 'view' THEN 0 WHEN 'cart' THEN 1 ELSE 3 END"
    )
    abandoned = converted = 0
    visitor, last, cart = "", 0, ""
    for user, kind, at in [*found, ["", "end", 0]]:
        gone = user != visitor or at - last > 1_800_000
        if cart == "open" and gone:
            abandoned, cart = abandoned + 1, "left"
        if user != visitor:
            cart = ""
        if kind == "cart" and not cart:
            cart = "open"
        elif kind == "purchase" and cart:
            converted += cart == "open"
            cart = ""
        visitor, last = user, at
    rate = metric(storage, "cart_abandonment_rate")
    assert (rate["k"], rate["n"]) == (abandoned, abandoned + converted)


def test_the_walkthrough_tells_these_numbers(october: tuple[Imported, ClickHouse]) -> None:
    _, storage = october
    page = (PROJECT / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    for name in ("bounce_rate", "cart_abandonment_rate", "conversion_rate"):
        row = metric(storage, name)
        assert f"| `{name}` | {row['k']} | {row['n']} | {row['value']:.4f} |" in page
    value = metric(storage, "average_order_value")
    assert f"| `average_order_value` | — | {value['n']} | {value['value']:.2f} |" in page


def test_two_halves_cut_inside_a_session_equal_the_whole(
    october: tuple[Imported, ClickHouse], test_data: Path, chdb_dsn: str, tmp_path: Path
) -> None:
    lines = gzip.decompress((test_data / OCTOBER).read_bytes()).split(b"\n")
    # Between two seconds, so that no exact repeat (same second, same row) stands on both sides.
    cut = next(n for n in range(9_000, 12_000) if lines[n][:19] != lines[n - 1][:19])
    halves = (lines[:cut], [lines[0], *lines[cut:]])
    clock = ManualClock(NOW_MS)
    with installation(tmp_path / "data", chdb_dsn, "real_halves", clock) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        for number, half in enumerate(halves):
            file = tmp_path / f"half{number}.csv"
            file.write_bytes(b"\n".join(half))
            import_file(context, {"file": str(file), "format": "rees46"})
        _, whole = october
        for table in TABLES:
            assert rows(parts.storage, table) == rows(whole, table), table


def test_every_history_of_the_recommender_set_is_there(
    test_data: Path, chdb_dsn: str, tmp_path: Path
) -> None:
    with installation(tmp_path / "data", chdb_dsn, "real_otto", ManualClock(NOW_MS)) as parts:
        context = AdminContext(parts=parts, progress=nothing, running=False)
        file = test_data / "otto-sample.jsonl"
        report = import_file(context, {"file": str(file), "format": "otto"})
        assert (report.events, report.rejected) == (862, 0)
        (stored,) = parts.storage.query(
            "SELECT count() AS n, uniqExact(visitor_id) AS visitors FROM events FINAL"
        )
        assert stored == {"n": 862, "visitors": 20}
