"""What ``waymark ingest`` asks of real workers: what a dry run would do, and who still shops."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.privacy import _hashed
from schemas.spans import DAY_MS
from services.common.catalog_topic import TopicStore
from services.common.clock import SystemClock
from services.common.settings import Settings
from tests.ingest.test_kafka_process import Ingest
from tests.sessionizer.street import does, street
from tests.sessionizer.workers import PATIENCE_SECONDS, Worker, crew
from tests.support.commands import Commands
from tests.support.kafka import read_all
from tests.support.process import eventually

CART = {
    "type": "cart_add", "visitor_id": "v1", "currency": "EUR",
    "products": [{"product_id": "p1", "price": "10.00", "quantity": 2}],
}  # fmt: skip


@pytest.fixture
def pair(
    commands: Commands, kafka_settings: Settings, tmp_path: Path
) -> Iterator[tuple[Ingest, Worker]]:
    """Return an ingest not started yet and its one worker, who is."""
    ingest = Ingest(commands, kafka_settings)
    try:
        with crew(commands, kafka_settings, tmp_path) as hands:
            ingest.make_key()
            hands._policy.write_text("")  # no session may end while the test runs
            worker = hands.hire()
            worker.wait_ready()
            yield ingest, worker
            assert worker.stop() == 0
    finally:
        ingest.close()


def dry_run(ingest: Ingest, event: Any) -> Any:
    """Return what is told of an event, once ingest has heard of the worker and it answers."""
    headers = {"Authorization": f"Bearer {ingest.key}"}

    def told() -> Any:
        answer = ingest.http.post("/v1/events?dry_run=true", json=event, headers=headers)
        assert answer.status_code in {200, 503}, answer.text
        return answer.json()["events"][0] if answer.status_code == httpx.codes.OK else None

    return eventually(told, PATIENCE_SECONDS)


def in_the_log(settings: Settings) -> list[dict[str, Any]]:
    """Return the log's events without ticks."""
    records = asyncio.run(read_all(settings, "events"))
    found = [json.loads(line) for one in records for line in one.value.split(b"\n")]
    return [one for one in found if one["type"] != "__tick"]


def test_a_dry_run_tells_what_an_event_would_do_to_the_live_state_and_keeps_nothing(
    pair: tuple[Ingest, Worker],
) -> None:
    ingest, _ = pair
    ingest.start()
    first = dry_run(ingest, CART)
    assert first["cart"]["before"] is None
    assert first["cart"]["after"]["lines"][0]["quantity"] == 2
    assert in_the_log(ingest.settings) == []

    sent = CART | {"event_id": "sent"}
    assert ingest.post(sent).status_code == httpx.codes.OK
    eventually(lambda: dry_run(ingest, CART)["cart"]["before"], PATIENCE_SECONDS)
    again = dry_run(ingest, sent)
    assert again["duplicate"]
    assert again["cart"]["after"] == again["cart"]["before"]
    seen = dry_run(ingest, CART)["cart"]
    assert seen["before"]["lines"][0]["quantity"] == 2
    assert seen["after"]["lines"][0]["quantity"] == 4
    assert len(in_the_log(ingest.settings)) == 1
    assert ingest.stop() == 0, ingest.text()


def test_a_nameless_visitor_keeps_yesterdays_hash_while_a_worker_knows_the_session_open(
    pair: tuple[Ingest, Worker],
) -> None:
    ingest, worker = pair
    yesterday = yesterdays_salt(ingest.settings)
    known, unknown = (_hashed(yesterday, "shop", f"visitor_id\x1f{name}") for name in ("a", "b"))
    asyncio.run(shop_on(ingest.settings, known))
    asked = {"source": "shop", "visitor_id": known}
    worker.eventually(
        lambda: worker.http.get("/v1/live/visitor", params=asked).json(),
        "knows the session",
    )
    ingest.start()
    for hashed in (known, unknown):  # it has heard who owns their partitions
        assert dry_run(ingest, CART | {"visitor_id": hashed})

    for name in ("a", "b"):
        event = {"type": "page_view", "visitor_id": name, "consent": {"analytics": "denied"}}
        answer = ingest.post(event | {"event_id": f"e-{name}"})
        assert answer.json()["accepted"] == 1, answer.text
    found = {one["event_id"]: one["visitor_id"] for one in in_the_log(ingest.settings)}
    assert found["e-a"] == known, "the session of yesterday goes on"
    assert found["e-b"] not in {"b", unknown}, "who has none begins anew with today's hash"
    assert ingest.stop() == 0, ingest.text()


def yesterdays_salt(settings: Settings) -> bytes:
    """Put a salt of yesterday into the catalog, as an ingest left it there."""
    salt = secrets.token_bytes(16)
    store = TopicStore(settings, SystemClock(), keeper=False)
    store.open()
    with closing(store):
        day = SystemClock().now_ms() // DAY_MS - 1
        store._link.write(lambda: {f"salt/{day}": salt})
    return salt


async def shop_on(settings: Settings, visitor: str) -> None:
    async with street(settings) as here:
        await here.send(does("page_view", visitor, path="/", page_kind="home"))
