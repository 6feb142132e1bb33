"""``Waits`` where the loader reads topics: how long the oldest record has waited for it."""

import asyncio
import math
import time

from aiokafka.errors import KafkaError

from services.common.clock import SystemClock
from services.common.kafka import loader_group
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name
from services.metrics_api.group_lag import GroupLag

PATIENCE_SECONDS = 5.0
"""For brokers to answer; until they do, storage is known to reach no further."""
KEEP_SECONDS = 5.0
"""What they said holds so long: a question costs them a batch of every partition that waits."""


class TopicWaits:
    """Asks the brokers. One question at a time."""

    def __init__(
        self,
        settings: Settings,
        patience_s: float = PATIENCE_SECONDS,
        keep_s: float = KEEP_SECONDS,
    ) -> None:
        """Look at the loader's group and topics of these settings; nothing is connected yet."""
        self._settings = settings
        self._patience_s = patience_s
        self._keep_s = keep_s
        self._groups = GroupLag(settings, SystemClock())
        self._said: int | None = None
        self._asked_at = float("-inf")

    async def waits_ms(self) -> int | None:
        """Return the age of the oldest record that no loader has committed, by the brokers' stamps.

        0 where there is none, None where brokers do not answer, do not show all of them, or stamp
        them later than now. An answer that is kept has aged: what it does not know of may wait.
        """
        if time.monotonic() - self._asked_at >= self._keep_s:
            self._asked_at = time.monotonic()
            self._said = await self._ask()
            return self._said
        if self._said is None:
            return None
        return self._said + math.ceil((time.monotonic() - self._asked_at) * 1_000)

    async def _ask(self) -> int | None:
        names = ("events", *TOPIC_OF_TABLE.values())
        topics = [topic_name(self._settings, one) for one in names]
        try:
            async with asyncio.timeout(self._patience_s):
                lag = await self._groups.look(loader_group(self._settings), topics)
        except (KafkaError, OSError, TimeoutError):
            await self.close()  # what answers again is connected to anew
            return None
        return lag.age_ms if lag.whole else None

    async def close(self) -> None:
        """Let go of the brokers."""
        await self._groups.close()
