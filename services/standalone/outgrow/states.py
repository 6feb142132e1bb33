"""Live states into the partitions of the changelog, each to that of its key.

They are written as a worker writes them, in transactions that fence whoever owns a partition. Until
all are there, each partition's meta names no number of partitions, which a worker refuses to start
on; the last transactions put the right one. So a worker sees all of the states or none.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options, why
from services.common.partitions import partition_of
from services.common.ports import Changes, PartitionMeta, StateReader
from services.common.ports import Progress as Report
from services.common.settings import Settings
from services.common.topics import Name, topic_name, topics
from services.sessionizer.effects import Effects

GROUP = 1_000
"""States in one transaction: about half a megabyte."""
UNFINISHED = 0
"""A number of partitions that no topic has."""
NOTHING_APPLIED = -1


def first_meta(of: PartitionMeta, partitions: int) -> PartitionMeta:
    """Return where each new partition's fold stands: nothing read, the former clock and hold."""
    return PartitionMeta(
        applied=NOTHING_APPLIED,
        clock_ms=of.clock_ms,
        hold_until_ms=of.hold_until_ms,
        version=of.version,
        partitions=partitions,
    )


async def check_unused(settings: Settings, *, resumed: bool) -> None:
    """Raise ``InvalidError`` where workers have run on these topics, or someone else's states are.

    ``resumed``: states may be there, since a former try of ours left them.
    """
    names: tuple[Name, ...] = ("owners",) if resumed else ("owners", "states")
    for name in names:
        if await _written(settings, name):
            raise InvalidError(
                f"topic {topic_name(settings, name)} is not empty: workers have run there already. "
                "Stop them, and set WAYMARK_KAFKA_PREFIX to a fresh name"
            )


async def _written(settings: Settings, name: Name) -> bool:
    topic = topics(settings)[name]
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    reader = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
    try:
        await reader.start()
        ends = await reader.end_offsets(partitions)
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka} does not answer: {why(settings, error)}"
        ) from error
    finally:
        await reader.stop()
    return any(ends.values())


async def copy_states(
    settings: Settings, states: StateReader, total: int, meta: PartitionMeta, report: Report
) -> int:
    """Write every state and then every partition's meta; return how many states there were."""
    partitions = settings.kafka_partitions
    async with AsyncExitStack() as closing:
        writers = [Effects(settings, number) for number in range(partitions)]
        for writer in writers:
            await writer.start()
            closing.push_async_callback(writer.stop)
        copied = 0
        for number, group in _grouped(states, partitions):
            await writers[number].write(_changes(first_meta(meta, UNFINISHED), group))
            copied += len(group)
            report(copied, total, "live states")
        last = _changes(first_meta(meta, partitions), {})
        await asyncio.gather(*(writer.write(last) for writer in writers))
    return copied


def _grouped(states: StateReader, partitions: int) -> Iterable[tuple[int, dict[bytes, bytes]]]:
    waiting: dict[int, dict[bytes, bytes]] = defaultdict(dict)
    for key, value in states.items():
        number = partition_of(key, partitions)
        waiting[number][key] = value
        if len(waiting[number]) >= GROUP:
            yield number, waiting.pop(number)
    yield from waiting.items()


def _changes(meta: PartitionMeta, states: dict[bytes, bytes]) -> Changes:
    return Changes(meta=meta, states=dict(states), rows={}, forwards=[])
