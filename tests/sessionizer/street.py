"""What ingest does, in small: events to their partitions, and a tick a second to each of them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
from aiokafka import AIOKafkaProducer

from schemas.event import Event, EventType, Product
from services.common.kafka import client_options
from services.common.partitions import key_of, partition_of
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics

TICK = b'{"type":"__tick"}'
TEA = Product(product_id="tea", name="Tea", price=1_000)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Street:
    """The way of events into the log; ``sent`` are those acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: list[Event] = []
        self._topic = topic_name(settings, "events")
        self._producer = AIOKafkaProducer(
            **client_options(settings), acks="all", enable_idempotence=True, linger_ms=0
        )
        self.ticking = True

    async def open(self) -> None:
        await ensure_topics(self.settings)
        await self._producer.start()

    async def close(self) -> None:
        await self._producer.stop()

    def home(self, visitor: str, source: str = "shop") -> int:
        return partition_of(key_of(source, visitor), self.settings.kafka_partitions)

    async def send(self, *events: Event) -> None:
        """Send events, a record for each partition."""
        lines: dict[int, list[bytes]] = defaultdict(list)
        for event in events:
            home = self.home(event.visitor_id, event.source)
            lines[home].append(msgspec.json.encode(event))
        for number, some in lines.items():
            await self.raw(number, b"\n".join(some))
        self.sent += events

    async def raw(self, number: int, value: bytes | None, key: bytes | None = None) -> int:
        """Send a record as it is and return its offset."""
        done = await self._producer.send_and_wait(self._topic, value, key, partition=number)
        return int(done.offset)

    async def keyed(self, event: Event) -> None:
        """Send as a foreign producer does: one event a record, keyed, with its own partitioner."""
        key = key_of(event.source, event.visitor_id)
        await self._producer.send_and_wait(self._topic, msgspec.json.encode(event), key)
        self.sent.append(event)

    async def tick(self) -> None:
        while True:
            if self.ticking:
                numbers = range(self.settings.kafka_partitions)
                await asyncio.gather(*(self.raw(number, TICK) for number in numbers))
            await asyncio.sleep(0.5)


@asynccontextmanager
async def street(settings: Settings) -> AsyncIterator[Street]:
    one = Street(settings)
    await one.open()
    ticks = asyncio.create_task(one.tick())
    try:
        yield one
    finally:
        ticks.cancel()
        await one.close()


def does(kind: str, visitor: str, **fields: Any) -> Event:
    """Return an event of now."""
    at_ms = fields.pop("ts_ms", now_ms())
    event_id = fields.pop("event_id", f"{kind}-{visitor}-{at_ms}")
    return Event(
        type=cast("EventType", kind),
        event_id=event_id,
        source="shop",
        visitor_id=visitor,
        ts_ms=at_ms,
        received_ms=at_ms,
        **fields,
    )


def visit(number: int) -> list[Event]:
    """Return what shopper number N does, all within some milliseconds: one of four stories."""
    visitor = f"v{number}"
    at_ms = now_ms() - 50
    story: list[tuple[str, dict[str, Any]]] = [
        ("page_view", {"path": "/", "page_kind": "home"}),
        ("product_view", {"products": [TEA], "path": "/tea", "page_kind": "product"}),
        ("cart_add", {"products": [TEA], "cart_id": f"c{number}"}),
        ("purchase", {"order_id": f"o{number}", "value": 1_000, "currency": "USD"}),
    ]
    steps = story[: 1 + number % 4]
    return [
        does(kind, visitor, ts_ms=at_ms + 10 * place, event_id=f"{visitor}-{place}", **fields)
        for place, (kind, fields) in enumerate(steps)
    ]
