"""``PipelineHealth`` of a distributed installation: how far each group is behind its topics."""

import asyncio
import time
from collections.abc import Callable, Sequence

from aiokafka.errors import KafkaError

from services.common.clock import SystemClock
from services.common.kafka import loader_group, worker_group
from services.common.ports import Hop
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, Name, topic_name
from services.metrics_api.group_lag import GroupLag, Lag

KEEP_SECONDS = 2.0
"""Whoever asks again within this gets the same answer: brokers are not asked for each probe."""
PATIENCE_SECONDS = 5.0


class TopicHops:
    """Asks the brokers. That they do not answer is a note, not a trouble: storage still does.

    A session worker's place is behind all that has settled, so its oldest record is at least as
    old as the grace while events come. ``stopping`` tells that the process drains.
    """

    def __init__(self, settings: Settings, stopping: Callable[[], bool] = lambda: False) -> None:
        """Look at the topics and groups of these settings; nothing is connected yet."""
        self._settings = settings
        self._stopping = stopping
        self._groups = GroupLag(settings, SystemClock())
        self._seen: list[Hop] = []
        self._seen_at = float("-inf")
        self._lock = asyncio.Lock()

    async def hops(self) -> list[Hop]:
        """Return the hops in the order events take."""
        async with self._lock:
            if time.monotonic() - self._seen_at > KEEP_SECONDS:
                self._seen = await self._look()
                self._seen_at = time.monotonic()
        leaving = "the process is shutting down" if self._stopping() else ""
        return [*self._seen, Hop("reads", 0, 0, "requests", leaving)]

    async def close(self) -> None:
        """Let go of the brokers."""
        async with self._lock:
            await self._groups.close()

    async def _look(self) -> list[Hop]:
        loaders = loader_group(self._settings)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                sessionizer = await self._lag(worker_group(self._settings), ("events",))
                events = await self._lag(loaders, ("events",))
                rows = await self._lag(loaders, tuple(TOPIC_OF_TABLE.values()))
        except (KafkaError, OSError, TimeoutError) as error:
            await self._groups.close()  # what answers again is connected to anew
            note = f"Kafka at {self._settings.kafka} does not answer: {type(error).__name__}"
            return [Hop("log", None, None, "records", "", note)]
        return [
            Hop("log", 0, 0),
            Hop("sessionizer", sessionizer.records, sessionizer.age_ms),
            Hop("events", events.records, events.age_ms),
            Hop("rows", rows.records, rows.age_ms, "rows"),
        ]

    async def _lag(self, group: str, names: Sequence[Name]) -> Lag:
        return await self._groups.look(group, [topic_name(self._settings, one) for one in names])
