"""Section *fold*: a sessionizer worker with every rule and durable state, reading a shop's log.

The log is written with append times of its own making, as over hours of a shop, and only then set
to the broker's clock: so events settle, deadlines fire and rows come out while it is read, as they
do live. The first fifth warms up; what counts is the rest, until it is applied.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec import Struct

from benchmarks.core_shop import lines
from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.parts import Part, needs, part
from benchmarks.kafka.process import FailedError, cpu_seconds
from benchmarks.kafka.rows import Row, missing
from services.common.partitions import partition_of
from services.common.topics import ensure_topics

WHAT = "Waymark's sessionizer, every rule, one worker"
ASKED = "≥ 70,000 per CPU-s (aim 100,000), 12 times Faust idiomatic"
PREFIX = "fold"
RECORD = 400
GRACE_MS = 60_000
STUCK_SECONDS = 120.0
ASK_SECONDS = 1.0
"""To tell its metrics costs a worker some milliseconds, which count as its own. What is told and
the clocks are read at one moment, so more often would be no more exact."""
MARK = b'"visitor_id":"'
TICK = b'{"type":"__tick"}'
APPLIED = "waymark_sessionizer_partition_applied_offset"


class Log(Struct, frozen=True):
    """What lies in the topic: records, of which as many events, the last one a tick each."""

    records: int
    events: int


def run(bench: Bench) -> None:
    """Measure one worker on a log of its own."""
    say(WHAT)
    try:
        needs("sessionizer")
        say(f"writing a shop's log of {bench.events:,} events")
        log = asyncio.run(write(bench, PREFIX, bench.events))
        with part(bench, "sessionizer", PREFIX) as worker:
            row = _measure(worker, log, bench.partitions)
        row = beside(row, bench.rows)
    except (NeedsError, FailedError) as error:
        row = missing(WHAT, str(error), ASKED)
    bench.rows.append(row)


def beside(row: Row, rows: Sequence[Row]) -> Row:
    """Return the row with how many times the idiomatic app it is, where that was measured."""
    plain = next((one.core for one in rows if one.what.startswith("Faust") and one.core), None)
    if plain is None or row.core is None:
        return row
    return msgspec.structs.replace(row, other=f"{row.core / plain:.0f} times Faust; {row.other}")


def _measure(worker: Part, log: Log, partitions: int) -> Row:
    end = log.records - partitions  # offsets begin at 0 in each partition
    first = wait_applied([worker], end // 5)
    last = wait_applied([worker], end)
    done = log.events * (last[0] - first[0]) / end
    return Row(
        WHAT,
        done / (last[1] - first[1]),
        done / (last[2] - first[2]),
        ASKED,
        "exactly once; rows, states and links in one transaction a group",
    )


def wait_applied(some: Sequence[Part], wanted: int) -> tuple[float, float, float]:
    """Wait until the workers have applied so much; return how much, the clock, CPU-seconds.

    How much is the sum of the offsets applied, over all partitions.
    """
    before, moved = -1.0, time.monotonic()
    while True:
        applied = sum(worker.metric(APPLIED) for worker in some)
        now, cpu = time.monotonic(), sum(cpu_seconds(worker.process.pid) for worker in some)
        if applied >= wanted:
            return applied, now, cpu
        if applied > before:
            before, moved = applied, now
        for worker in some:
            if not worker.process.alive():
                worker.process.next(1.0)  # raises, with its last words
        if now - moved > STUCK_SECONDS:
            raise FailedError(f"stands at offset {applied:,.0f} of {wanted:,}")
        time.sleep(ASK_SECONDS)


def until_owned(some: Sequence[Part], partitions: int, seconds: float) -> None:
    """Wait until these workers are ready, fold all partitions, and none of them is idle."""
    until = time.monotonic() + seconds
    while True:
        for each in some:
            each.wait_ready()
        owned = [each.count(APPLIED) for each in some]
        if sum(owned) == partitions and all(owned):
            return
        if time.monotonic() > until:
            raise FailedError(f"the workers own {owned} of {partitions} partitions")
        time.sleep(0.2)


async def write(bench: Bench, prefix: str, events: int) -> Log:
    """Write a shop's events as ingest would have written them, then give the clock to the broker.

    Visitors are a tenth of the events, as within the first hours of a shop.
    """
    await ensure_topics(bench.settings(prefix))
    topic = f"{prefix}.events"
    await _clock(bench, topic, "CreateTime")
    log = await _produce(bench, topic, events)
    await _clock(bench, topic, "LogAppendTime")
    return log


async def _clock(bench: Bench, topic: str, whose: str) -> None:
    configs = {"message.timestamp.type": whose, "retention.ms": "-1"}
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.bootstrap)
    await admin.start()
    try:
        found = await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)]
        )
    finally:
        await admin.close()
    for answer in found:
        for code, message, *_ in answer.resources:
            if code:
                raise FailedError(f"topic {topic} cannot be altered: {message}")


async def _produce(bench: Bench, topic: str, events: int) -> Log:
    producer = AIOKafkaProducer(
        bootstrap_servers=bench.bootstrap, acks="all", max_request_size=1 << 20
    )
    await producer.start()
    waiting: list[list[bytes]] = [[] for _ in range(bench.partitions)]
    records, at_ms = 0, 0
    try:
        for ts_ms, line in lines(events, max(events // 10, 1_000)):
            start = line.index(MARK) + len(MARK)
            visitor = line[start : line.index(b'"', start)]
            number = partition_of(b"shop\x1f" + visitor, bench.partitions)
            waiting[number].append(line)
            at_ms = ts_ms + 150
            if len(waiting[number]) == RECORD:
                body, waiting[number] = b"\n".join(waiting[number]), []
                await producer.send(topic, body, partition=number, timestamp_ms=at_ms)
                records += 1
        for number, some in enumerate(waiting):
            for body, later in ((b"\n".join(some), 0), (TICK, GRACE_MS)):
                if body:
                    await producer.send(topic, body, partition=number, timestamp_ms=at_ms + later)
                    records += 1
        await producer.flush()
    finally:
        await producer.stop()
    return Log(records, events)
