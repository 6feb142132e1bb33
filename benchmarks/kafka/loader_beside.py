"""What stands beside the loader: a consumer that only counts, and storage given rows made ready."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from aiokafka import AIOKafkaConsumer

from benchmarks.kafka.bench import Bench
from benchmarks.kafka.loader_feed import Fed
from benchmarks.kafka.process import Process, cpu_seconds
from benchmarks.kafka.rows import Row
from services.common.clickhouse import open_storage
from services.loader.event_columns import EventRows
from services.loader.loader import TAKE_RECORDS
from services.loader.pace import BATCH_ROWS


def prepared(server: Process, url: str, fed: Fed, kind: str) -> Row:
    """Insert the same rows in the largest batches, made ready before; storage alone is measured."""
    batches = list(_batches(fed))
    storage = open_storage(url)
    spent, began = cpu_seconds(server.pid), time.monotonic()
    for number, (table, rows) in enumerate(batches):
        storage.insert(table, rows, f"prepared-{number}")
    done = sum(len(rows) for _, rows in batches)
    wall, core = time.monotonic() - began, cpu_seconds(server.pid) - spent
    storage.close()
    what = f"  storage alone, {kind} in batches of {BATCH_ROWS:,}"
    return Row(what, done / wall, done / core, other="the processor time is storage's")


def _batches(fed: Fed) -> Iterator[tuple[str, Sequence[bytes]]]:
    events = EventRows()
    for record in fed.log:
        events.add(record)
        if len(events) >= BATCH_ROWS:
            yield "events", events
            events = EventRows()
    if events:
        yield "events", events
    for table, lines in fed.lines.items():
        for at in range(0, len(lines), BATCH_ROWS):
            yield table, lines[at : at + BATCH_ROWS]


def counted(bench: Bench, fed: Fed, kind: str) -> Row:
    """Read the same topics with the loader's client, and count lines."""
    wall, core = asyncio.run(_count(bench, fed))
    return Row(f"  a consumer that counts {kind}", fed.rows / wall, fed.rows / core)


async def _count(bench: Bench, fed: Fed) -> tuple[float, float]:
    consumer = AIOKafkaConsumer(
        *fed.topics,
        bootstrap_servers=bench.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    began, spent, rows = time.monotonic(), time.process_time(), 0
    try:
        while rows < fed.rows:
            found = await consumer.getmany(timeout_ms=250, max_records=TAKE_RECORDS)
            for some in found.values():
                rows += sum(one.value.count(b"\n") + 1 for one in some)
    finally:
        await consumer.stop()
    return time.monotonic() - began, time.process_time() - spent
