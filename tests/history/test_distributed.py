"""History beside real workers, loaders and ClickHouse over HTTP: import, rebuild, dlq, forget."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from schemas.rows import DeadLetter
from services.cli.shared import call_shared
from services.common.catalog_topic import open_catalog
from services.common.clickhouse import ClickHouse
from services.common.clock import SystemClock
from services.common.errors import InvalidError, UnavailableError
from services.common.ports import nothing
from services.common.settings import Settings
from services.history.distributed.live import linked
from services.history.distributed.nightly import rebuild_marked
from tests.history.shop_on_kafka import Shop, open_shop
from tests.sessionizer.street import does, now_ms
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.commands import Commands
from tests.support.kafka import settings_for

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY_MS = 86_400_000
NOTHING_OPEN = 1 << 62
OTHER = (
    r"WAYMARK_POLICY here is version 1 \(\w{8}\), and workers fold by version \d+ \(\w{8}\): set"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    kafka: str, commands: Commands, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    """Start all once; each test has its own source."""
    folder = tmp_path_factory.mktemp("shop")
    server = ClickHouseProcess(folder)
    await asyncio.to_thread(server.start)
    settings = settings_for(
        kafka, clickhouse=f"{server.url}/history", data=folder, policy=folder / "policy.toml"
    )
    try:
        async with open_shop(commands, settings, folder) as one:
            yield one
    finally:
        server.kill()


def without_policy(shop: Shop) -> Settings:
    """Return the settings of a shell in which nobody has named the policy of the workers."""
    return shop.settings.model_copy(update={"policy": None})


def line(kind: str, visitor: str, ts_ms: int, **fields: Any) -> str:
    named = {"event_id": f"{kind}-{visitor}-{ts_ms}", "visitor_id": visitor}
    return json.dumps({"type": kind, "ts_ms": ts_ms, **named, **fields})


async def test_history_is_imported_beside_live_traffic_and_rebuilt_to_the_same(
    shop: Shop, tmp_path: Path
) -> None:
    await shop.source("old")
    at = now_ms() - 3 * DAY_MS
    lines = [
        line("page_view", "here", at, url="https://shop.example/"),
        line("page_view", "gone", at, url="https://shop.example/"),
        line("cart_add", "gone", at + 1_000, cart_id="c", products=[{"product_id": "tea"}]),
        '{"type": "page_view", "visitor_id": "wrong", "ts_ms": "never"}',
    ]
    file = tmp_path / "history.ndjson"
    file.write_text("\n".join(lines))
    walking = asyncio.create_task(_walk(shop))
    seen = "SELECT count() > 0 FROM sessions WHERE source = 'old'"
    await shop.until(seen, [[1]])
    imported = await shop.call("import", file=str(file), source="old")
    assert (imported["events"], imported["rejected"]) == (3, 1)
    walking.cancel()
    who = "SELECT DISTINCT visitor_id FROM {} FINAL WHERE source = 'old'"
    closed = shop.rows(who.format("sessions") + " AND closed_ms IS NOT NULL")
    assert ["gone"] in closed
    assert ["here"] in closed + shop.rows(who.format("event_flags")), "nobody is left unmarked"
    assert shop.rows("SELECT outcome FROM carts FINAL WHERE source = 'old'") == [["abandoned"]]

    still = "SELECT countIf(closed_ms IS NULL) FROM sessions FINAL WHERE source = 'old'"
    await shop.until(still, [[0]])
    first = await shop.call("rebuild", source="old")
    again = await shop.call("rebuild", source="old")
    assert first["events"] >= 4
    changes = {(one["new"], one["changed"], one["deleted"]) for one in again["tables"].values()}
    assert changes == {(0, 0, 0)}, again
    assert shop.rows("SELECT count() FROM event_flags FINAL WHERE source = 'old'") == [[0]]
    apart = await shop.call(
        "policy.try", source="old", policy="[session]\ngap_ms = 500\n", from_ms=at - 1
    )
    assert apart["now"]["sessions"] < apart["tried"]["sessions"], apart


async def _walk(shop: Shop) -> None:
    """Be here all along, so that the visit stays open."""
    while True:
        await shop.send("old", does("page_view", "here", path="/", page_kind="home"))
        await asyncio.sleep(0.3)


async def test_a_late_event_is_folded_in_by_the_rebuild_of_the_marked(shop: Shop) -> None:
    await shop.source("late")
    at = now_ms()
    home = {"path": "/", "page_kind": "home"}
    await shop.send("late", does("page_view", "v", ts_ms=at, **home))
    ended = "SELECT count() FROM sessions FINAL WHERE source = 'late' AND closed_ms IS NOT NULL"
    await shop.until(ended, [[1]])
    await shop.send("late", does("page_view", "v", ts_ms=at - 100, **home))
    await shop.until("SELECT flag FROM event_flags FINAL WHERE source = 'late'", [["late"]])
    with pytest.raises(UnavailableError, match=OTHER):
        await asyncio.to_thread(_at_night, without_policy(shop), shop.storage)
    done = await shop.call("rebuild", source="late", marked=True)
    assert done["events"] == 2
    views = "SELECT page_views FROM sessions FINAL WHERE source = 'late' AND deleted = 0"
    assert shop.rows(views) == [[2]]
    assert shop.rows("SELECT count() FROM event_flags FINAL WHERE source = 'late'") == [[0]]


def _at_night(settings: Settings, storage: ClickHouse) -> None:
    with closing(open_catalog(settings, SystemClock())) as catalog:
        rebuild_marked(settings, catalog, storage, SystemClock(), "late")


async def test_nothing_is_folded_anew_by_another_policy_than_the_workers(shop: Shop) -> None:
    await shop.source("ruled")
    settings = without_policy(shop)
    for command in ("rebuild", "import", "policy.try"):
        with pytest.raises(InvalidError, match=OTHER):
            await asyncio.to_thread(call_shared, settings, command, {"source": "ruled"}, nothing)
    letters = await asyncio.to_thread(call_shared, settings, "dlq.ls", {"source": "ruled"}, nothing)
    assert letters == [], "what folds nothing is done"
    report = await asyncio.to_thread(call_shared, settings, "doctor", {}, nothing)
    (wrong,) = [one for one in report["checks"] if one["verdict"] == "wrong"]
    assert wrong["name"] == "partitions"
    assert re.match(OTHER, wrong["message"])


async def test_refused_events_come_in_again_through_the_log_or_as_history(shop: Shop) -> None:
    await shop.source("refused")
    times = {"new": now_ms(), "old": now_ms() - 30 * DAY_MS}
    letters = [_letter(name, line("page_view", name, at)) for name, at in times.items()]
    letters.append(_letter("wrong", line("page_view", "wrong", now_ms(), value="much")))
    shop.storage.insert("dead_letters", [msgspec.json.encode(one) for one in letters], "")
    listed = await shop.call("dlq.ls", source="refused")
    assert {one["id"] for one in listed} == {"new", "old", "wrong"}
    assert (await shop.call("dlq.show", id="new"))["message"] == "mended since"
    tried = await shop.call("dlq.retry", ids=["new", "old", "wrong"])
    assert sorted(tried["accepted"]) == ["new", "old"]
    assert [one["id"] for one in tried["refused"]] == ["wrong"]
    stored = "SELECT visitor_id FROM {} FINAL WHERE source = 'refused' ORDER BY visitor_id"
    await shop.until(stored.format("events"), [["new"], ["old"]])
    await shop.until(stored.format("sessions"), [["new"], ["old"]])
    assert [one["id"] for one in await shop.call("dlq.ls", source="refused")] == ["wrong"]


def _letter(name: str, original: str) -> DeadLetter:
    return DeadLetter(
        id=name,
        source="refused",
        received_ms=now_ms(),
        code="invalid_field",
        field="type",
        message="mended since",
        original=base64.b64encode(original.encode()).decode(),
        base64=True,
    )


async def test_doctor_finds_the_whole_installation_well(shop: Shop) -> None:
    await shop.source("well")
    await shop.call("keys.create", source="well")
    shop.storage.insert("dead_letters", [msgspec.json.encode(_letter("ill", "{}"))], "")
    report = await shop.call("doctor")
    checks = {check["name"]: check for check in report["checks"]}
    assert report["well"], report
    assert list(checks) == [
        *("settings", "brokers", "topics", "keys", "pipeline", "members", "partitions"),
        *("storage", "dead letters"),
    ]
    assert checks["brokers"]["facts"] == {"brokers": [shop.settings.kafka]}
    assert "well" in checks["keys"]["facts"]["sources"]
    hops = {hop["name"]: hop for hop in checks["pipeline"]["facts"]["hops"]}
    assert {"log", "sessionizer", "events", "rows"} <= hops.keys()
    (owned,) = checks["partitions"]["facts"]["workers"].values()
    assert owned == list(range(shop.settings.kafka_partitions))
    assert checks["dead letters"]["verdict"] == "note"
    assert checks["dead letters"]["facts"]["newest"] >= 1
    assert checks["dead letters"]["do"] == "waymark dlq ls"


async def test_a_person_is_forgotten_by_workers_and_storage_and_says_nothing_more(
    shop: Shop,
) -> None:
    await shop.source("left")
    for visitor in ("phone", "laptop", "other"):
        user = "" if visitor == "other" else "u"
        await shop.send(
            "left",
            does("cart_add", visitor, cart_id="c", user_id=user, page_kind="product"),
            does("page_view", visitor, path="/", page_kind="home"),
        )
    went = await shop.call("forget", source="left", user_id="u")
    assert went["visitors"] == 3  # phone, laptop and user:u
    assert went["events"] == 4
    with linked(shop.settings) as link:
        who = ["phone", "laptop", "other"]
        since, _ = await asyncio.to_thread(link.view, "nobody", "left", who)
    assert since["other"] < NOTHING_OPEN
    assert {since["phone"], since["laptop"]} == {NOTHING_OPEN}
    closed = "SELECT visitor_id FROM sessions FINAL WHERE source = 'left' AND closed_ms > 0"
    await shop.until(closed, [["other"]])
    for table in ("events", "sessions", "carts", "signals", "orders", "event_flags"):
        left = shop.rows(f"SELECT DISTINCT visitor_id FROM {table} WHERE source = 'left'")
        assert left in ([], [["other"]]), table
    again = await shop.call("forget", source="left", user_id="u")
    assert not any(again.values()), again
