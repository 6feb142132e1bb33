"""The loaders' topics read again from the beginning: nothing changes in any answer."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.common.clickhouse import open_storage
from services.common.kafka import client_options, loader_group
from services.common.settings import Settings
from services.loader.topics import tables_by_topic
from tests.chaos.city import City
from tests.chaos.contents import DECIDED_MS, SOURCE
from tests.chaos.storefront import Storefront

LISTS = ("sessions", "carts", "orders", "signals", "events")
READ_AGAIN_SECONDS = 300.0
DATED_BACK_MS = 4 * 3_600_000
"""A host's clock that is behind moves events into the past."""


async def read_again(made: City, front: Storefront) -> None:
    """Move the loaders' offsets to 0, load, and compare all answers with those of before."""
    times = [event["ts_ms"] for event in front.acknowledged.values()]
    span = {"from": min(times) - DATED_BACK_MS, "to": max(times) + DECIDED_MS}
    made.metrics_api.start()
    await asyncio.to_thread(made.metrics_api.wait_ready)
    before = await asyncio.to_thread(_answers, made.metrics_api.url, span)
    assert sum(map(len, before.values())) > len(before), "there is something to compare"
    rows = _rows(made.settings)
    assert await asyncio.to_thread(made.loader.stop) == 0, made.loader.words()
    ends = await _rewind(made.settings)
    made.loader.start()
    async with asyncio.timeout(READ_AGAIN_SECONDS):
        while not _reached(await _committed(made.settings), ends):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.5)
    after = await asyncio.to_thread(_answers, made.metrics_api.url, span)
    differ = [name for name in before if before[name] != after[name]]
    assert not differ, [(before[name], after[name]) for name in differ[:3]]
    assert _rows(made.settings) == rows


def _rows(settings: Settings) -> dict[str, int]:
    """Return how many rows each table has, the newest of each id alone."""
    storage = open_storage(settings.clickhouse, create=False)
    try:
        return {
            table: storage.query(f"SELECT count() AS n FROM {table} FINAL")[0]["n"]
            for table in tables_by_topic(settings).values()
        }
    finally:
        storage.close()


def _answers(url: str, span: dict[str, int]) -> dict[str, Any]:
    """Return every list and every metric of the span that has been."""
    found: dict[str, Any] = {}
    with httpx.Client(base_url=url, timeout=60) as http:
        for name in LISTS:
            found[name] = list(_pages(http, f"/v1/{name}"))
        for metric in _get(http, "/v1/metrics", {}):
            name = metric["name"]
            if name not in {"live_visitors", "open_carts"}:  # of now, whenever that is
                found[f"metrics/{name}"] = _timeless(_get(http, f"/v1/metrics/{name}", span))
    return found


def _timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a metric's rows without what time alone changes: some time after, all are complete."""
    return [{name: value for name, value in row.items() if name != "complete"} for row in rows]


def _pages(http: httpx.Client, path: str) -> Iterator[Any]:
    more: dict[str, Any] = {}
    while True:
        page = _get(http, path, {"limit": 1_000, **more})
        yield from page["rows"]
        if page["next"] is None:
            return
        more = {"cursor": page["next"]}


def _get(http: httpx.Client, path: str, asked: dict[str, Any]) -> Any:
    answer = http.get(path, params={"source": SOURCE, **asked})
    assert answer.status_code == httpx.codes.OK, (path, answer.text)
    return answer.json()


async def _rewind(settings: Settings) -> dict[TopicPartition, int]:
    """Set the group, which nobody is in, back to the beginning; return where it had come to."""
    written = await _committed(settings)
    assert written
    reader = _reader(settings)
    await reader.start()
    try:
        reader.assign(list(written))
        await reader.commit(dict.fromkeys(written, 0))
    finally:
        await reader.stop()
    return written


async def _committed(settings: Settings) -> dict[TopicPartition, int]:
    """Return how far the group has come, where it has."""
    reader = _reader(settings)
    await reader.start()
    try:
        places = _places(settings)
        reader.assign(places)
        reached = {place: await reader.committed(place) for place in places}
        return {place: offset for place, offset in reached.items() if offset}
    finally:
        await reader.stop()


def _reached(now: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> bool:
    return all(now.get(place, 0) >= end for place, end in ends.items())


def _reader(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **client_options(settings),
        group_id=loader_group(settings),
        enable_auto_commit=False,
    )


def _places(settings: Settings) -> list[TopicPartition]:
    return [
        TopicPartition(topic, number)
        for topic in tables_by_topic(settings)
        for number in range(settings.kafka_partitions)
    ]
