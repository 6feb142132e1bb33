"""``PipelineHealth`` of a distributed installation: how far each group is behind its topics."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.common.kafka import client_options
from services.common.ports import Hop
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, Name, topic_name

KEEP_SECONDS = 2.0
"""Whoever asks again within this gets the same answer: brokers are not asked for each probe."""
PATIENCE_SECONDS = 5.0


class TopicHops:
    """Asks the brokers. That they do not answer is a note, not a trouble: storage still does."""

    def __init__(self, settings: Settings) -> None:
        """Look at the topics and groups of these settings; nothing is connected yet."""
        self._settings = settings
        self._seen: list[Hop] = []
        self._seen_at = float("-inf")
        self._lock = asyncio.Lock()

    async def hops(self) -> list[Hop]:
        """Return the hops in the order events take."""
        async with self._lock:
            if time.monotonic() - self._seen_at > KEEP_SECONDS:
                self._seen = await self._look()
                self._seen_at = time.monotonic()
            return self._seen

    async def _look(self) -> list[Hop]:
        group = self._settings.kafka_group
        loader = f"{group}-loader"
        outputs = tuple(TOPIC_OF_TABLE.values())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                sessionizer = await self._lag(group, ("events",))
                events = await self._lag(loader, ("events",))
                rows = await self._lag(loader, outputs)
        except (KafkaError, OSError, TimeoutError) as error:
            note = f"Kafka at {self._settings.kafka} does not answer: {type(error).__name__}"
            return [Hop("log", None, None, "records", "", note)]
        return [
            Hop("log", 0, 0),
            Hop("sessionizer", sessionizer, None),
            Hop("events", events, None),
            Hop("rows", rows, None, "rows"),
        ]

    async def _lag(self, group: str, names: Sequence[Name]) -> int:
        """Return how many records of the topics the group has not committed yet."""
        topics = [topic_name(self._settings, name) for name in names]
        every = [
            TopicPartition(topic, number)
            for topic in topics
            for number in range(self._settings.kafka_partitions)
        ]
        options = client_options(self._settings)
        reader, admin = AIOKafkaConsumer(**options), AIOKafkaAdminClient(**options)
        try:
            await asyncio.gather(reader.start(), admin.start())
            first, end = await reader.beginning_offsets(every), await reader.end_offsets(every)
            done = await admin.list_consumer_group_offsets(group, partitions=every)
        finally:
            await asyncio.gather(reader.stop(), admin.close())
        places = {one: found.offset for one, found in done.items() if found.offset >= 0}
        return sum(max(0, end[one] - places.get(one, first[one])) for one in every)
