"""``waymark outgrow`` as it is called: a folder that ran, then workers and loader that go on."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.common.settings import Settings
from services.loader.cluster import rendered
from services.loader.migrate import migrations
from tests.standalone.cluster_over_http import cluster_over_http
from tests.standalone.waymark import Waymark
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.commands import Commands
from tests.support.process import Part, eventually

GRACE_MS = 4_000
POLICY = f"""
[time]
grace_ms = {GRACE_MS}
stall_ms = 600_000
emit_every_ms = 1_000
"""
PATIENCE = 120.0
VISITORS = ("ann", "bob", "cy")
SESSIONS = "SELECT visitor_id, session_id, events FROM sessions FINAL ORDER BY visitor_id"
EVENTS = "SELECT visitor_id, toInt64(count()) AS n FROM events FINAL GROUP BY visitor_id ORDER BY 1"

Make = Callable[..., Waymark]


def environment(settings: Settings, storage: str, **more: Any) -> dict[str, str]:
    shared = {
        "KAFKA": settings.kafka,
        "KAFKA_PREFIX": settings.kafka_prefix,
        "KAFKA_PARTITIONS": settings.kafka_partitions,
        "CLICKHOUSE": storage,
        **more,
    }
    return {f"WAYMARK_{name}": str(value) for name, value in shared.items()}


def looks(visitor: str, *numbers: int) -> list[dict[str, Any]]:
    """Return a visitor's looks at goods, each with an id of its own."""
    page = "https://shop.example/product/{}"
    return [
        {"type": "page_view", "visitor_id": visitor, "event_id": f"{visitor}-{number}",
         "ts_ms": time.time_ns() // 1_000_000, "url": page.format(number)}
        for number in numbers
    ]  # fmt: skip


@pytest.fixture
def there(kafka_settings: Settings, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment of parts on a broker and a server, under a short grace."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    server = ClickHouseProcess(tmp_path)
    server.start()
    yield environment(kafka_settings, f"{server.url}/moved", POLICY=policy)
    server.kill()


@pytest.fixture
def parts(commands: Commands) -> Iterator[Callable[..., Part]]:
    """Return a maker of parts; what still runs at the end of the test is killed."""
    made: list[Part] = []

    def one(command: str, environ: dict[str, str]) -> Part:
        made.append(Part(commands, command, environ))
        return made[-1]

    yield one
    for part in made:
        part.close()


def before_the_move(waymark: Waymark) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Have visitors look, some of them too late to be folded; return what was sent, and visits."""
    sent = [event for visitor in VISITORS[:2] for event in looks(visitor, 1, 2)]
    waymark.start()
    assert waymark.post(sent)["accepted"] == len(sent)
    known = eventually(
        lambda: len(rows := list(waymark.rows("/v1/sessions", source="shop"))) == 2 and rows
    )
    last = [*looks("ann", 3), *looks("cy", 1)]
    assert waymark.post(last)["accepted"] == len(last)
    assert waymark.stop() == 0
    return sent + last, {row["visitor_id"]: row["session_id"] for row in known}


def after_the_move(ingest: Part, key: str, sent: list[dict[str, Any]]) -> None:
    """Send all of it again, as clients do that saw no answer, and something new of everybody."""
    fresh = [event for visitor in VISITORS for event in looks(visitor, 9)]
    answer = ingest.http.post(
        "/v1/events", json=sent + fresh, headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == len(sent) + len(fresh)


@pytest.mark.timeout(300)
def test_a_shop_that_moved_goes_on_where_it_was(
    make: Make,
    parts: Callable[..., Part],
    commands: Commands,
    there: dict[str, str],
    tmp_path: Path,
) -> None:
    old = make(policy=there["WAYMARK_POLICY"])
    sent, visits = before_the_move(old)
    done = commands.run("outgrow", "--json", **there, WAYMARK_DATA=str(old.data))
    assert done.status == 0, done.err
    assert done.json()["states"] >= len(VISITORS)
    storage = open_storage(there["WAYMARK_CLICKHOUSE"])
    try:
        arrived = {row["visitor_id"]: row for row in storage.query(SESSIONS)}
        assert {who: row["events"] for who, row in arrived.items()} == {"ann": 3, "bob": 2, "cy": 1}
        assert visits == {who: arrived[who]["session_id"] for who in visits}
        running = [
            parts(command, there | {"WAYMARK_DATA": str(tmp_path / command)})
            for command in ("loader", "sessionizer", "ingest")
        ]
        for part in running:
            part.launch()
        for part in running:
            part.wait_ready()
        after_the_move(running[-1], old.key(), sent)
        check_gone_on(storage, arrived)
    finally:
        storage.close()


def check_gone_on(storage: ClickHouse, before: dict[str, dict[str, Any]]) -> None:
    """Wait until everybody's visit has one event more, and look that nothing else has come."""
    want = [before[who] | {"events": before[who]["events"] + 1} for who in VISITORS]
    eventually(lambda: storage.query(SESSIONS) == want, PATIENCE)
    counts = [{"visitor_id": row["visitor_id"], "n": row["events"]} for row in want]
    eventually(lambda: storage.query(EVENTS) == counts, PATIENCE)


def test_a_cluster_gets_the_tables_of_a_cluster(
    commands: Commands, chdb_dsn: str, kafka_settings: Settings, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert commands.run("sources", "set", "shop", WAYMARK_DATA=str(data)).status == 0
    database = f"moved_{uuid.uuid4().hex[:8]}"
    with cluster_over_http(chdb_dsn.removeprefix("chdb://")) as (url, server):
        there = environment(kafka_settings, f"{url}/{database}", CLICKHOUSE_CLUSTER="shops")
        done = commands.run("outgrow", **there, WAYMARK_DATA=str(data))
        assert done.status == 0, done.err
        assert "UNKNOWN_DATABASE" not in done.err, "it is about to be made"
        for name in ("KAFKA", "KAFKA_PREFIX", "KAFKA_PARTITIONS", "CLICKHOUSE"):
            assert f" WAYMARK_{name}={there[f'WAYMARK_{name}']}" in done.out
    whole = [statement for one in migrations() for statement in one.statements]
    wanted = [part for statement in whole for part in rendered(statement, "shops")]
    assert [made for made in server.made if made in wanted] == wanted
    assert all("ON CLUSTER 'shops'" in made for made in server.made)
