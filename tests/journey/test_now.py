"""Answers of now, refusals and commands, in both shapes."""

import asyncio
import json
import time
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer

from services.common.kafka import client_options
from services.common.settings import load
from services.common.topics import topic_name
from tests.journey.installations import SOURCES, Installation
from tests.journey.street import Both
from tests.support.process import eventually

WAIT = 60.0
GRACE_SECONDS = 5.0
"""As the policy of both has it."""
PATHS = ("/healthz", "/readyz", "/metrics")


def goods() -> list[dict[str, Any]]:
    return [{"product_id": "p9", "name": "Scarf", "price": "9.50", "quantity": 2}]


def put_aside(visitor: str) -> dict[str, Any]:
    return {
        "type": "cart_add",
        "visitor_id": visitor,
        "event_id": f"{visitor}-add",
        "products": goods(),
    }


def test_an_event_shows_in_the_live_view_before_it_has_settled(installation: Installation) -> None:
    fastest = 60.0
    for number in range(8):
        visitor = f"now-{number}"
        installation.post("desk", put_aside(visitor))
        began = time.monotonic()
        live = eventually(lambda who=visitor: installation.live("desk", who), WAIT)
        fastest = min(fastest, time.monotonic() - began)
        assert live["current_stage"] == "intent"
        assert (live["cart"]["value"], live["cart"]["currency"]) == ("19.00", "EUR")
    assert fastest < GRACE_SECONDS  # how fast it is, benchmarks measure on a quiet machine


def test_a_dry_run_says_what_would_come_of_it_and_stores_nothing(both: Both) -> None:
    told = []
    for installation in both.each():
        installation.post("desk", put_aside("dry"))
        eventually(lambda one=installation: one.live("desk", "dry"), WAIT)
        order = {
            "type": "purchase",
            "visitor_id": "dry",
            "event_id": "dry-order",
            "order_id": "dry-1",
            "value": "19.00",
        }
        answer = installation.post("desk", [order, {"type": "page_view"}], dry_run="true")
        assert (answer["dry_run"], answer["accepted"], len(answer["errors"])) == (True, 1, 1)
        (event,) = answer["events"]
        assert event["stage"] == "purchase"
        assert event["cart"]["before"]["outcome"] == "open"
        assert event["cart"]["after"] is None  # converted: no cart is open any more
        assert installation.live("desk", "dry")["cart"]["outcome"] == "open"  # type: ignore[index]
        told.append(({name: event[name] for name in ("stage", "late", "signals")}, sorted(event)))
    assert told[0] == told[1]


def test_events_are_found_by_what_is_in_them(both: Both) -> None:
    questions: list[dict[str, Any]] = [
        {"visitor_id": "sought"},
        {"type": "search", "q": "zanzibar"},
        {"order_id": "sought-1", "type": "purchase"},
        {"by": "received", "visitor_id": "sought", "from": "now-1h"},
        {"product": "p9", "visitor_id": "sought"},
    ]
    visit = [
        put_aside("sought"),
        {
            "type": "search",
            "visitor_id": "sought",
            "event_id": "sought-search",
            "properties": {"query": "zanzibar"},
        },
        {
            "type": "purchase",
            "visitor_id": "sought",
            "event_id": "sought-order",
            "order_id": "sought-1",
            "value": "19.00",
        },
    ]
    found = []
    for installation in both.each():
        installation.post("desk", visit)
        eventually(lambda one=installation: len(_ids(one, visitor_id="sought")) == 3, WAIT)
        found.append([_ids(installation, **asked) for asked in questions])
    assert found[0] == found[1]
    assert [len(ids) for ids in found[0]] == [3, 1, 1, 3, 1]


def _ids(of: Installation, **asked: Any) -> list[str]:
    rows = of.rows("/v1/events", source="desk", **asked)
    return sorted(row["event_id"] for row in rows)


def test_sources_and_keys_are_managed_by_the_same_commands(installation: Installation) -> None:
    named = {row["name"]: row for row in installation.command("sources", "ls")}
    assert {name: named[name]["currency"] for name in SOURCES} == {
        "shop": "EUR",
        "outlet": "JPY",
        "desk": "EUR",
    }
    shown = {row["name"]: row for row in installation.get("/v1/sources")["rows"]}
    assert shown["outlet"]["timezone"] == "Asia/Tokyo"
    made = installation.command("keys", "create", "outlet")
    keys = installation.keys
    installation.keys = keys | {"outlet": made["secret"]}
    try:
        eventually(lambda: _accepted(installation) == 200, WAIT)
        installation.command("keys", "revoke", made["id"])
        eventually(lambda: _accepted(installation) == 401, WAIT)
    finally:
        installation.keys = keys
    listed = {row["id"]: row["revoked_ms"] for row in installation.command("keys", "ls")}
    assert listed[made["id"]]


def _accepted(of: Installation) -> int:
    answer = of._http.post(
        f"{of.ingest.url}/v1/events",
        params={"dry_run": "true"},
        json={"type": "page_view", "visitor_id": "keyed"},
        headers={"Authorization": f"Bearer {of.keys['outlet']}"},
    )
    return answer.status_code


def test_every_part_tells_how_it_is(installation: Installation) -> None:
    for part in installation.parts:
        for path in PATHS:
            eventually(lambda one=part, where=path: one.status(where) == 200, WAIT)
    pipeline = eventually(lambda: _well(installation), WAIT)
    hops = {hop["name"]: hop for hop in pipeline["hops"]}
    assert hops.keys() >= {"log", "sessionizer", "events", "rows"}
    eventually(lambda: _ages(installation), WAIT)


def _well(of: Installation) -> dict[str, Any] | None:
    """Return the pipeline once nothing is behind: what other tests sent is still on its way."""
    pipeline: dict[str, Any] = of.get("/v1/health/pipeline")
    return pipeline if pipeline["status"] == "ok" else None


def _ages(of: Installation) -> bool:
    """Tell whether what waits for its session worker has an age, and all else is done."""
    of.post("desk", put_aside(f"aged-{time.monotonic_ns()}"))
    hops = {hop["name"]: hop for hop in of.get("/v1/health/pipeline")["hops"]}
    return all(hops[name]["age_ms"] is not None for name in ("sessionizer", "events"))


def test_what_no_part_can_read_is_a_dead_letter_with_its_place(both: Both) -> None:
    environ = both.distributed.ingest.environ
    settings = load(environ={key: environ[key] for key in environ if "KAFKA" in key})

    async def produce() -> tuple[int, int]:
        producer = AIOKafkaProducer(**client_options(settings))
        await producer.start()
        try:
            topic = topic_name(settings, "events")
            done = await producer.send_and_wait(topic, b"no event at all", partition=1)
        finally:
            await producer.stop()
        return done.partition, done.offset

    place = asyncio.run(produce())
    rows = eventually(lambda: _unreadable(both.distributed), WAIT)
    assert [(row["partition"], row["offset"]) for row in rows] == [place]
    assert [row["original"] for row in rows] == ["no event at all"]


def _unreadable(of: Installation) -> list[dict[str, Any]]:
    """Return the letters of no source, which commands alone list."""
    return [row for row in of.command("dlq", "ls") if row["code"] == "unreadable"]


def _letters(of: Installation, original: str) -> list[dict[str, Any]]:
    rows = of.rows("/v1/dead-letters", source="desk")
    return [row for row in rows if row["original"] == original]


def test_a_refused_item_is_kept_as_it_came_in_both(both: Both) -> None:
    item = {"type": "page_view", "visitor_id": "refused", "ts_ms": "yesterday"}
    kept = []
    for installation in both.each():
        assert installation.post("desk", item)["errors"]
        original = json.dumps(item, separators=(",", ":"))
        (row,) = eventually(partial(_letters, installation, original), WAIT)
        kept.append({name: row[name] for name in ("code", "field", "message", "original")})
    assert kept[0] == kept[1]
