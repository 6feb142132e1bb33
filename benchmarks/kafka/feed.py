"""What the engines are fed: made-up visits, once as one event a record, once in batches.

Visitors come and go as in a shop: at any time some 5,000 are under way, each with 25 events, one
in five of them after a break that starts a new session. Events of a visitor are in order.
"""

import random
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from benchmarks.kafka.visit import GAP_MS, fold
from services.common.partitions import partition_of

KINDS = ("page_view", "page_view", "product_view", "page_view", "click", "product_view", "cart_add")
START_MS = 1_760_000_000_000
UNDER_WAY, EACH = 5_000, 25
BATCH = 400


class Fed(Struct, frozen=True):
    """What lies in the topics: how many events, and how many sessions they make."""

    events: int
    sessions: int


def visits(events: int, seed: int = 7) -> Iterator[tuple[bytes, bytes, int, str, int]]:
    """Yield key, JSON line, visitor, type and time of each event."""
    choose = random.Random(seed)
    clocks: dict[int, int] = {}
    for number in range(events):
        visitor = number // EACH + choose.randrange(UNDER_WAY)
        gap = GAP_MS + 60_000 if choose.random() < 1 / EACH else 20_000
        at = clocks[visitor] = clocks.get(visitor, START_MS + number) + gap
        kind = KINDS[number % len(KINDS)]
        name = f"v-{visitor:012d}"
        line = (
            f'{{"event_id":"{choose.getrandbits(64):016x}","source":"shop","visitor_id":"{name}",'
            f'"type":"{kind}","ts_ms":{at},"url":"https://shop.example/{kind}/{number % 997}",'
            f'"page_kind":"product"}}'
        )
        yield f"shop\x1f{name}".encode(), line.encode(), visitor, kind, at


class Writer:
    """Writes records to one topic in full batches, in order."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._open: dict[int, Any] = {}

    async def add(self, partition: int, key: bytes | None, value: bytes) -> None:
        """Add a record, sending the batch it no longer fits in."""
        batch = self._open.get(partition) or self._producer.create_batch()
        if batch.append(key=key, value=value, timestamp=None) is None:
            await self._send(partition, batch)
            batch = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
        self._open[partition] = batch

    async def flush(self) -> None:
        """Send what is left."""
        for partition, batch in self._open.items():
            await self._send(partition, batch)
        self._open = {}

    async def _send(self, partition: int, batch: Any) -> None:
        await (await self._producer.send_batch(batch, self._topic, partition=partition))


async def feed(bootstrap: str, single: str, batched: str, events: int, partitions: int) -> Fed:
    """Write the events to both topics; return what they hold."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=1 << 19)
    await producer.start()
    states: dict[int, dict[str, int]] = {}
    sessions = 0
    try:
        one, many = Writer(producer, single), Writer(producer, batched)
        waiting: list[list[bytes]] = [[] for _ in range(partitions)]
        for key, line, visitor, kind, at in visits(events):
            states[visitor] = fold(states.get(visitor), {"type": kind, "ts_ms": at})
            sessions += states[visitor]["events"] == 1
            partition = partition_of(key, partitions)
            await one.add(partition, key, line)
            waiting[partition].append(line)
            if len(waiting[partition]) == BATCH:
                await many.add(partition, None, b"\n".join(waiting[partition]))
                waiting[partition] = []
        for partition, lines in enumerate(waiting):
            if lines:
                await many.add(partition, None, b"\n".join(lines))
        await one.flush()
        await many.flush()
    finally:
        await producer.stop()
    return Fed(events, sessions)
