"""What the loader is fed: the events of a shop as ingest writes them, or the rows of their fold."""

import asyncio
from collections import defaultdict

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from benchmarks.core import TAKE_EVERY, States
from benchmarks.core_shop import records
from benchmarks.kafka.bench import Bench
from schemas.spans import DAY_MS
from services.common.clock import SystemClock
from services.common.ports import LogRecord
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules

FOLDED = ("sessions", "carts", "signals")
AHEAD = 2_000
"""Records on their way to the broker at a time."""
BLOCKS = 40
"""Into so many stretches of one partition each topic's records are cut."""


class Fed(Struct, frozen=True):
    """What lies in which topics: rows, by table as JSON lines or as records of the log."""

    prefix: str
    topics: list[str]
    rows: int
    lines: dict[str, list[bytes]]
    log: list[LogRecord]


def feed(bench: Bench, prefix: str, *, rows: bool) -> Fed:
    """Fill the topics of a prefix and say with what.

    The shop is of yesterday, as a backlog is: what counts in sealed buckets costs more and is rare.
    """
    start_ms = SystemClock().now_ms() - DAY_MS
    log = records(bench.events, max(bench.events // 10, 1_000), start_ms=start_ms)
    settings = bench.settings(prefix)
    if rows:
        log, lines = [], folded(log)
        bodies = {
            topic_name(settings, TOPIC_OF_TABLE[table]): some for table, some in lines.items()
        }
    else:
        lines = {}
        bodies = {topic_name(settings, "events"): [record.body for record in log]}
    asyncio.run(_send(settings, bodies))
    count = sum(map(len, lines.values())) if rows else bench.events
    return Fed(prefix, list(bodies), count, lines, log)


def folded(log: list[LogRecord]) -> dict[str, list[bytes]]:
    """Return the rows that a worker makes of a log, by table, in order."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    lines: defaultdict[str, list[bytes]] = defaultdict(list)
    for number, record in enumerate(log, 1):
        partition.apply(record)
        if number % TAKE_EVERY == 0 or number == len(log):
            changes = partition.take()
            states.commit(changes)
            partition.committed()
            for table in FOLDED:
                lines[table] += changes.rows.get(table, [])
    return lines


async def _send(settings: Settings, bodies: dict[str, list[bytes]]) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, linger_ms=5)
    await producer.start()
    waiting = []
    try:
        for topic, some in bodies.items():
            for number, body in enumerate(some):
                partition = number * BLOCKS // len(some) % settings.kafka_partitions
                waiting.append(await producer.send(topic, body, partition=partition))
                if len(waiting) == AHEAD:
                    await asyncio.gather(*waiting)
                    waiting = []
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
