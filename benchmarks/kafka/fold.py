"""Section *fold*: a sessionizer worker with every rule and durable state, reading a shop's log.

The log is written with append times of its own making, as over hours of a shop, and only then set
to the broker's clock: so events settle, deadlines fire and rows come out while it is read, as they
do live. The first fifth warms up; what counts is the rest, until it is applied.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

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
from services.common.topics_made import ensure_topics

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


Record = tuple[int, bytes, int]
"""Partition, lines, and the append time in milliseconds."""


class Log(Struct, frozen=True):
    """What was written: so many events, and the offset of each partition's last record, a tick.

    Behind and between them the workers' own forwards and the markers of their transactions come to
    lie, which have offsets too.
    """

    events: int
    ends: Mapping[int, int]


def run(bench: Bench) -> None:
    """Measure one worker on a log of its own."""
    say(WHAT)
    try:
        needs("sessionizer")
        say(f"writing a shop's log of {bench.events:,} events")
        log = asyncio.run(write(bench, PREFIX, shop(bench.events, bench.partitions)))
        with part(bench, "sessionizer", PREFIX) as worker:
            row = _measure(worker, log)
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


def _measure(worker: Part, log: Log) -> Row:
    first = wait_applied([worker], log, 0.2)
    last = wait_applied([worker], log)
    done = log.events * (last[0] - first[0])
    return Row(
        WHAT,
        done / (last[1] - first[1]),
        done / (last[2] - first[2]),
        ASKED,
        "exactly once; rows, states and links in one transaction a group",
    )


def wait_applied(some: Sequence[Part], log: Log, share: float = 1.0) -> tuple[float, float, float]:
    """Wait until the workers have applied this share of a log; return it, the clock, CPU-seconds.

    All of a log is applied when each partition is at its last record: a sum of plain offsets would
    be reached long before by what the workers themselves write in between.
    """
    before, moved = -1.0, time.monotonic()
    while True:
        applied = applied_share(_applied(some), log.ends)
        now, cpu = time.monotonic(), sum(cpu_seconds(worker.process.pid) for worker in some)
        if applied >= share:
            return applied, now, cpu
        if applied > before:
            before, moved = applied, now
        for worker in some:
            if not worker.process.alive():
                worker.process.next(1.0)  # raises, with its last words
        if now - moved > STUCK_SECONDS:
            raise FailedError(f"stands at {applied:.0%} of the log, waits for {share:.0%}")
        time.sleep(ASK_SECONDS)


def applied_share(applied: Mapping[int, float], ends: Mapping[int, int]) -> float:
    """Return which share of a log is applied, by partition; 1 once each is at its end, no sooner.

    ``applied`` and ``ends`` are offsets, which begin at 0; a partition without one is at its start.
    """
    reached = sum(min(applied.get(number, -1), end) + 1 for number, end in ends.items())
    return reached / sum(end + 1 for end in ends.values())


def _applied(some: Sequence[Part]) -> dict[int, float]:
    return {int(n): to for each in some for n, to in each.by_label(APPLIED, "partition").items()}


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


def shop(events: int, partitions: int) -> Iterator[Record]:
    """Yield a shop's log as ingest would have written it, each partition's last record a tick.

    Visitors are a tenth of the events, as within the first hours of a shop.
    """
    waiting: list[list[bytes]] = [[] for _ in range(partitions)]
    at_ms = 0
    for ts_ms, line in lines(events, max(events // 10, 1_000)):
        start = line.index(MARK) + len(MARK)
        visitor = line[start : line.index(b'"', start)]
        number = partition_of(b"shop\x1f" + visitor, partitions)
        waiting[number].append(line)
        at_ms = ts_ms + 150
        if len(waiting[number]) == RECORD:
            yield number, b"\n".join(waiting[number]), at_ms
            waiting[number] = []
    for number, some in enumerate(waiting):
        if some:
            yield number, b"\n".join(some), at_ms
        yield number, TICK, at_ms + GRACE_MS


async def write(bench: Bench, prefix: str, records: Iterable[Record]) -> Log:
    """Write records with their own append times, then give the clock to the broker."""
    await ensure_topics(bench.settings(prefix))
    topic = f"{prefix}.events"
    await _clock(bench, topic, "CreateTime")
    log = await _produce(bench, topic, records)
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


async def _produce(bench: Bench, topic: str, records: Iterable[Record]) -> Log:
    producer = AIOKafkaProducer(
        bootstrap_servers=bench.bootstrap, acks="all", max_request_size=1 << 20
    )
    await producer.start()
    last: dict[int, Any] = {}
    events = 0
    try:
        for number, body, at_ms in records:
            last[number] = await producer.send(topic, body, partition=number, timestamp_ms=at_ms)
            events += 0 if body == TICK else body.count(b"\n") + 1
        await producer.flush()
        return Log(events, {number: (await sent).offset for number, sent in last.items()})
    finally:
        await producer.stop()
