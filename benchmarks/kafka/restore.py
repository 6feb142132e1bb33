"""Section *restore*: from the death of a worker with a million visitors to all partitions live.

The states are the core's own (one visitor's, under a million keys), written to the changelog as a
worker writes them. The group notices a dead worker after its session timeout, which counts apart.
"""

import asyncio
import time

import msgspec
from aiokafka import AIOKafkaProducer

from benchmarks.core import States
from benchmarks.core_shop import START_MS, lines
from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.feed import Writer
from benchmarks.kafka.fold import until_owned
from benchmarks.kafka.parts import needs, part
from benchmarks.kafka.process import FailedError
from benchmarks.kafka.rows import Row, missing
from services.common.partitions import key_of, partition_of
from services.common.ports import LogRecord, PartitionMeta
from services.common.topics_made import ensure_topics
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules

PREFIX = "restore"
ASKED = "≤ 15 s after the group notices"
SESSION_SECONDS = 10.0
"""What the group takes to notice, as the workers are set."""
LIVE_SECONDS = 180.0


def run(bench: Bench) -> None:
    """Write the states, let a worker own them, kill it, and time its successor."""
    visitors = min(1_000_000, 2 * bench.events)
    what = f"worker killed with {visitors:,} visitors → all partitions live"
    say(what)
    try:
        needs("sessionizer")
        asyncio.run(_write(bench, visitors))
        row = _measure(bench, what)
    except (NeedsError, FailedError) as error:
        row = missing(what, str(error), ASKED)
    bench.rows.append(row)


def _measure(bench: Bench, what: str) -> Row:
    with part(bench, "sessionizer", PREFIX, label="-first") as first:
        first.wait_ready()
        first.process.kill()
        killed = time.monotonic()
        with part(bench, "sessionizer", PREFIX, label="-second") as second:
            second.wait_ready(LIVE_SECONDS)
            until_owned([second], bench.partitions, LIVE_SECONDS)
            whole = time.monotonic() - killed
    after = max(whole - SESSION_SECONDS, 0.0)
    other = f"{after:.1f} s after the group notices; {whole:.1f} s from the kill"
    return Row(what, asked=ASKED, other=other)


async def _write(bench: Bench, visitors: int) -> None:
    settings = bench.settings(PREFIX)
    await ensure_topics(settings)
    state, clock_ms = _state()
    producer = AIOKafkaProducer(bootstrap_servers=bench.bootstrap, max_batch_size=1 << 19)
    await producer.start()
    try:
        writer = Writer(producer, f"{PREFIX}.states")
        for number in range(visitors):
            key = key_of("shop", f"v-{number:012d}")
            await writer.add(partition_of(key, bench.partitions), key, state)
        for number in range(bench.partitions):
            meta = PartitionMeta(-1, clock_ms, 0, clock_ms << 20, bench.partitions)
            await writer.add(number, b"__meta", msgspec.msgpack.encode(meta))
        await writer.flush()
    finally:
        await producer.stop()


def _state() -> tuple[bytes, int]:
    """Return the bytes of a visitor's state after some events, and the log's clock then."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    for offset, (ts_ms, line) in enumerate(lines(8, 1)):
        partition.apply(LogRecord(offset, ts_ms + 150, line))
    end = START_MS + 3_600_000
    partition.apply(LogRecord(99, min(end, ts_ms + 60_000), b'{"type":"__tick"}'))
    changes = partition.take()
    state = next(iter(changes.states.values()))
    assert state is not None
    return state, changes.meta.clock_ms
