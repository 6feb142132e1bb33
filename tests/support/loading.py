"""A loader within a test: topics are filled, it runs until storage has them, answers are read."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from services.common.catalog_rows import Source
from services.common.clickhouse import ClickHouse
from services.common.kafka import client_options
from services.common.metrics import Metrics
from services.common.ports import Storage
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name
from services.common.topics_made import ensure_topics
from services.loader.loader import TopicLoader
from services.loader.part import open_consumer
from services.loader.topics import EVENTS, tables_by_topic
from services.loader.warehouse import Warehouse
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from services.metrics_api.registry import METRICS
from tests.metrics.shop import NOW, SINCE, SOURCE, Shop
from tests.support.clock import ManualClock

PATIENCE_SECONDS = 120.0
LINES_A_RECORD = 7
ASKED = (
    "visitors", "pages_per_session", "events", "time_on_page_ms", "signals", "recovered_value",
    "revenue_net", "cancelled_orders", "days_to_next_order", "causes",
)  # fmt: skip


class Shops:
    """The one source of the generated shop."""

    def sources(self) -> Sequence[Source]:
        return [Source(name=SOURCE, timezone="UTC")]


def lines_of(shop: Shop) -> dict[str, list[bytes]]:
    """Return what the topics carry: rows one by one, events as the canonical lines of the log."""
    return {
        table: [msgspec.json.encode(row) for row in getattr(shop, table)]
        for table in ("sessions", "carts", "orders", "signals", "events")
    }


async def fill(settings: Settings, lines: Mapping[str, Sequence[bytes]]) -> int:
    """Append rows to the topics, events several a record; return how many records."""
    await ensure_topics(settings)
    producer = AIOKafkaProducer(**client_options(settings), linger_ms=5)
    await producer.start()
    waiting = []
    try:
        for table, some in lines.items():
            topic = topic_name(settings, "events" if table == EVENTS else TOPIC_OF_TABLE[table])
            step = LINES_A_RECORD if table == EVENTS else 1
            for number, at in enumerate(range(0, len(some), step)):
                value = b"\n".join(some[at : at + step])
                partition = number % settings.kafka_partitions
                waiting.append(await producer.send(topic, value, partition=partition))
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
    return len(waiting)


@asynccontextmanager
async def loading(settings: Settings) -> AsyncIterator[tuple[TopicLoader, Warehouse]]:
    """Run a loader during a block; it is stopped in order, and what it raised is raised."""
    warehouse = Warehouse(settings, ManualClock(NOW))
    loader = TopicLoader(
        open_consumer(settings), tables_by_topic(settings), warehouse.sink, Metrics()
    )
    running = asyncio.create_task(loader.run())
    try:
        yield loader, warehouse
    finally:
        loader.stop()
        await running
        warehouse.close()


async def until(what: Any, seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask until the answer is truthy."""
    async with asyncio.timeout(seconds):
        while not (found := what()):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.1)
    return found


async def until_loaded(loader: TopicLoader, records: int) -> None:
    """Wait until so many records are in storage and their offsets committed."""
    await until(lambda: loader.loaded >= records)


def answers(storage: Storage) -> dict[str, Any]:
    """Return what a metric of each fact says of the shop, by week."""
    facts = {metric.fact for metric in METRICS.values() if metric.kind != "now"}
    assert {METRICS[name].fact for name in ASKED} == facts, "one of each fact is asked"
    return {name: rows(storage, _asked(name)) for name in ASKED}


def _asked(metric: str) -> MetricQuery:
    return MetricQuery(
        metric=metric, source=SOURCE, from_ms=SINCE, to_ms=NOW, now_ms=NOW, step="1w"
    )


def counted(storage: ClickHouse, table: str) -> int:
    (row,) = storage.query(f"SELECT count() AS n FROM {table} FINAL")
    return int(row["n"])
