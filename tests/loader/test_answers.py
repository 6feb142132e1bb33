"""The reading side on the distributed parts: storage over HTTP, signals out of Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

from services.common.catalog_rows import Source
from services.common.catalog_topic import open_catalog
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from services.metrics_api.run import create_part
from services.metrics_api.topic_signals import TopicSignals, offsets_of, place_text
from tests.metrics.shop import NOW, SINCE, SOURCE, generate
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.clock import ManualClock
from tests.support.loading import fill, lines_of, loading, until_loaded

SHOP = generate(seed=31, visits=40)
SIGNALS = lines_of(SHOP)["signals"]


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """Serve the reading side within this process."""
    await ensure_topics(settings)
    catalog = await asyncio.to_thread(open_catalog, settings, ManualClock(NOW))
    await asyncio.to_thread(catalog.put_source, Source(name=SOURCE, timezone="UTC"))
    app = create_part(settings, catalog)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client,
        ):
            yield app, client
    finally:
        await asyncio.to_thread(catalog.close)


async def told(settings: Settings, after: str, count: int) -> tuple[list[bytes], str]:
    """Follow the signals until so many came; return them and the last place."""
    lines: list[bytes] = []
    place = after
    follow = TopicSignals(settings).follow(after, None if after else 0)
    async with asyncio.timeout(60):
        async for one in follow:
            place = one.place
            if one.line:
                lines.append(one.line)
            if len(lines) == count:
                break
    await follow.aclose()
    return lines, place


async def test_numbers_come_over_http_and_storage_away_is_told(
    settings: Settings, server: ClickHouseProcess
) -> None:
    records = await fill(settings, lines_of(SHOP))
    async with loading(settings) as (loader, _):
        await until_loaded(loader, records)
    asked: dict[str, Any] = {"from": SINCE, "to": NOW, "include_bots": True}
    async with reading(settings) as (_, client):
        answer = await client.get("/v1/metrics/sessions", params=asked)
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()
        mine = [one for one in SHOP.sessions if one.source == SOURCE]
        assert row["value"] == len(mine)
        listed = (await client.get("/v1/sessions", params={"from": SINCE, "to": NOW})).json()
        assert listed["rows"]
        hops = (await client.get("/v1/health/pipeline")).json()
        lag = {hop["name"]: hop["lag"] for hop in hops["hops"]}
        assert lag["events"] == lag["rows"] == 0, "the loader has all of it"
        assert lag["sessionizer"] > 0, "which no worker has read"
        moving = await client.get("/v1/metrics/open_carts")
        assert moving.status_code == 503, "no worker owns a partition"
        server.kill()
        try:
            for path in ("/v1/metrics/sessions", "/v1/sessions"):
                answer = await client.get(path, params={"from": SINCE, "to": NOW})
                assert answer.status_code == 503
                assert answer.json()["code"] == "unavailable"
                assert "Retry-After" in answer.headers
            assert (await client.get("/readyz")).status_code == 503
        finally:
            await asyncio.to_thread(server.start)
        assert (await client.get("/v1/metrics/sessions", params=asked)).json() == [row]
        assert (await client.get("/readyz")).status_code == 200


async def test_a_stream_resumes_where_it_stood_in_every_partition(settings: Settings) -> None:
    await fill(settings, {"signals": SIGNALS})
    half = len(SIGNALS) // 2
    first, place = await told(settings, "", half)
    rest, end = await told(settings, place, len(SIGNALS) - half)
    assert sorted([*first, *rest]) == sorted(SIGNALS), "nothing lost, nothing twice"
    more = generate(seed=32, visits=10)
    await fill(settings, {"signals": lines_of(more)["signals"]})
    fresh, _ = await told(settings, end, len(more.signals))
    assert sorted(fresh) == sorted(lines_of(more)["signals"])


async def test_the_stream_serves_signals_with_ids_to_resume_from(settings: Settings) -> None:
    await fill(settings, {"signals": SIGNALS})
    start = place_text([0] * settings.kafka_partitions)
    mine = [one for one in SHOP.signals if one.source == SOURCE and not (one.bot or one.excluded)]
    async with reading(settings) as (app, client):
        seen: list[dict[str, Any]] = []
        ids: list[str] = []
        task = asyncio.create_task(
            client.get("/v1/signals/stream", headers={"Last-Event-ID": start})
        )
        await asyncio.sleep(0)
        await told(settings, start, len(SIGNALS))
        async with asyncio.timeout(60):
            while not task.done():
                await asyncio.sleep(0.5)
                app.state.parts.signal_log.close()
        for line in (await task).text.splitlines():
            if line.startswith("data: "):
                seen.append(msgspec.json.decode(line.removeprefix("data: ")))
            elif line.startswith("id: "):
                ids.append(line.removeprefix("id: "))
        ahead = place_text([1 << 40] * settings.kafka_partitions)
        gone = await client.get("/v1/signals/stream", headers={"Last-Event-ID": ahead})
        wrong = await client.get("/v1/signals/stream", headers={"Last-Event-ID": "nonsense"})
    assert {one["signal_id"] for one in seen} <= {one.signal_id for one in mine}
    assert all(one["settled"] for one in seen)
    assert len(offsets_of(ids[-1], settings.kafka_partitions)) == settings.kafka_partitions
    assert (gone.status_code, wrong.status_code) == (400, 400)
    assert gone.json()["message"].startswith(f"Last-Event-ID = '{ahead}': is of topics that are no")
