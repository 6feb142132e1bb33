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
PATIENCE_SECONDS = 1.5
"""Who asks waits no longer: compose's probe gives us 3 s, Kubernetes' 4."""
LOOK_SECONDS = 5.0
"""Brokers may take longer to answer; whoever asks next hears what they said."""
RECENT_SECONDS = 10.0
"""What was seen so lately is told meanwhile, instead of that they have not answered yet."""


class TopicHops:
    """Asks the brokers. That they do not answer is a note, not a trouble: storage still does.

    A session worker's place is behind all that has settled, so its oldest record is at least as
    old as the grace while events come. ``stopping`` tells that the process drains.
    """

    def __init__(
        self,
        settings: Settings,
        stopping: Callable[[], bool] = lambda: False,
        patience_s: float = PATIENCE_SECONDS,
        recent_s: float = RECENT_SECONDS,
    ) -> None:
        """Look at the topics and groups of these settings; nothing is connected yet."""
        self._settings = settings
        self._stopping = stopping
        self._patience_s = patience_s
        self._recent_s = recent_s
        self._groups = GroupLag(settings, SystemClock())
        self._seen: list[Hop] = []
        self._seen_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def hops(self) -> list[Hop]:
        """Return the hops in the order events take; those seen lately where brokers are slow."""
        if self._looking is None and time.monotonic() - self._seen_at > KEEP_SECONDS:
            self._looking = asyncio.create_task(self._look())
        late = self._looking is not None and not await self._looked(self._looking)
        old = late and time.monotonic() - self._seen_at > self._recent_s
        leaving = "the process is shutting down" if self._stopping() else ""
        told = [self._silent(f" in {self._patience_s} s")] if old else self._seen
        return [*told, Hop("reads", 0, 0, "requests", leaving)]

    async def close(self) -> None:
        """Let go of the brokers."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await self._groups.close()

    async def _looked(self, look: asyncio.Task[None]) -> bool:
        """Wait for a look, which goes on where that takes too long; tell whether it is done."""
        done, _ = await asyncio.wait({look}, timeout=self._patience_s)
        for one in done:
            one.result()
        return bool(done)

    async def _look(self) -> None:
        try:
            self._seen = await self._ask()
        finally:
            self._seen_at = time.monotonic()
            self._looking = None

    async def _ask(self) -> list[Hop]:
        loaders = loader_group(self._settings)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                sessionizer = await self._lag(worker_group(self._settings), ("events",))
                events = await self._lag(loaders, ("events",))
                rows = await self._lag(loaders, tuple(TOPIC_OF_TABLE.values()))
        except (KafkaError, OSError, TimeoutError) as error:
            await self._groups.close()  # what answers again is connected to anew
            return [self._silent(f": {type(error).__name__}")]
        return [
            Hop("log", 0, 0),
            Hop("sessionizer", sessionizer.records, sessionizer.age_ms),
            Hop("events", events.records, events.age_ms),
            Hop("rows", rows.records, rows.age_ms, "rows"),
        ]

    def _silent(self, how: str) -> Hop:
        note = f"Kafka at {self._settings.kafka} does not answer{how}"
        return Hop("log", None, None, "records", "", note)

    async def _lag(self, group: str, names: Sequence[Name]) -> Lag:
        return await self._groups.look(group, [topic_name(self._settings, one) for one in names])
