"""What a rebuild and an erasure ask of the brokers: where topics end, and who has read up to there.

The ends of transactions are offsets without records. So a reader that stands before an end may have
read all there is; only a look at what lies between can tell.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.common import logging
from services.common.errors import UnavailableError
from services.common.kafka import client_options, loader_group
from services.common.partitions import key_of, partition_of
from services.common.ports import Outgoing
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, Name, topic_name

PATIENCE_SECONDS = 90.0
"""For a reader that does not come on at all."""
SAY_SECONDS = 5.0
"""After so long the wait is told."""
PAUSE_SECONDS = 0.1
LOOK_SECONDS = 5.0
LOOK_BYTES = 64 << 10
OUTPUTS: tuple[Name, ...] = tuple(TOPIC_OF_TABLE.values())

Places = Mapping[TopicPartition, int]
"""By partition the next offset."""


class Brokers:
    """Kafka as a rebuild sees it; not for several callers at once."""

    def __init__(self, settings: Settings) -> None:
        """Ask the brokers of these settings; nothing is connected before ``start``."""
        self._settings = settings

    async def start(self) -> None:
        """Connect."""
        options = client_options(self._settings)
        self._seen = _reader(options, "read_uncommitted")
        self._sure = _reader(options, "read_committed")
        self._admin = AIOKafkaAdminClient(**options)
        self._writer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
        clients = (self._seen, self._sure, self._admin, self._writer)
        try:
            await asyncio.gather(*(client.start() for client in clients))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Disconnect."""
        closing = (self._seen.stop(), self._sure.stop(), self._writer.stop(), self._admin.close())
        await asyncio.gather(*closing)

    def log(self, lasts: Mapping[int, int]) -> dict[TopicPartition, int]:
        """Return the places after these records of the log, by partition."""
        topic = topic_name(self._settings, "events")
        return {TopicPartition(topic, number): last + 1 for number, last in lasts.items()}

    async def ends(self, *names: Name) -> dict[TopicPartition, int]:
        """Return where topics end."""
        numbers = range(self._settings.kafka_partitions)
        every = [
            TopicPartition(topic_name(self._settings, name), number)
            for name in names
            for number in numbers
        ]
        found: dict[TopicPartition, int] = await self._seen.end_offsets(every)
        return found

    async def until_loaded(self, ends: Places) -> None:
        """Wait until the loaders have all records before these ends in storage."""
        group = loader_group(self._settings)

        async def places() -> Places:
            every = list(ends)
            done = await self._admin.list_consumer_group_offsets(group, partitions=every)
            return {one: max(0, done[one].offset) for one in every}

        await _until(places, ends, self._sure, f"no loader brings {{}} into storage ({group})")

    async def until_folded(self, ends: Places, lasts: Callable[[], Awaitable[Places]]) -> None:
        """Wait until the workers, asked by ``lasts``, have folded all records before these ends."""
        await _until(lasts, ends, self._seen, "no worker folds {}")

    async def append(self, items: Iterable[Outgoing]) -> None:
        """Make lines durable in the log, in order for each address."""
        lines: dict[int, list[bytes]] = defaultdict(list)
        for one in items:
            number = partition_of(key_of(one.source, one.address), self._settings.kafka_partitions)
            lines[number].append(one.line)
        topic = topic_name(self._settings, "events")
        for number, some in lines.items():
            for line in some:
                await self._writer.send_and_wait(topic, line, partition=number)


def _reader(options: dict[str, Any], isolation: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **options,
        isolation_level=isolation,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=LOOK_BYTES,
    )


async def _until(
    ask: Callable[[], Awaitable[Places]], ends: Places, reader: AIOKafkaConsumer, trouble: str
) -> None:
    """Wait while records lie between where somebody is and the ends, and he comes on.

    Where he does not for a while, that is said once, before patience ends.
    """
    before: Places = {}
    moved = time.monotonic()
    told = False
    while left := await _unread(reader, places := await ask(), ends):
        if places != before:
            before, moved = places, time.monotonic()
        waited = time.monotonic() - moved
        if waited > SAY_SECONDS:
            one = min(left)
            where = f"{one.topic} {one.partition} from {places.get(one, 0)} to {ends[one]}"
            if waited > PATIENCE_SECONDS:
                raise UnavailableError(trouble.format(where))
            if not told:
                wait = f"{PATIENCE_SECONDS:.0f} s at most"
                logging.get("history").warning("waits", why=trouble.format(where), wait=wait)
                told = True
        await asyncio.sleep(PAUSE_SECONDS)


async def _unread(reader: AIOKafkaConsumer, places: Places, ends: Places) -> set[TopicPartition]:
    """Return the partitions with a record from the place on and before the end."""
    left = {one for one, end in ends.items() if places.get(one, 0) < end}
    if not left:
        return left
    reader.assign(list(left))
    for one in left:
        reader.seek(one, places.get(one, 0))
    found: set[TopicPartition] = set()
    until = time.monotonic() + LOOK_SECONDS
    while left and time.monotonic() < until:
        for one, records in (await reader.getmany(timeout_ms=100)).items():
            if any(places.get(one, 0) <= record.offset < ends[one] for record in records):
                found.add(one)
        left -= found
        left -= {one for one in left if await reader.position(one) >= ends[one]}
    return found | left
