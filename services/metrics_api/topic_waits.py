"""``Waits`` where the loader reads topics: how long the oldest record has waited for it."""

import asyncio

from aiokafka.errors import KafkaError

from services.common.clock import SystemClock
from services.common.kafka import loader_group
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name
from services.metrics_api.group_lag import GroupLag

PATIENCE_SECONDS = 5.0
"""For brokers to answer; until they do, storage is known to reach no further."""


class TopicWaits:
    """Asks the brokers. One question at a time."""

    def __init__(self, settings: Settings, patience_s: float = PATIENCE_SECONDS) -> None:
        """Look at the loader's group and topics of these settings; nothing is connected yet."""
        self._settings = settings
        self._patience_s = patience_s
        self._groups = GroupLag(settings, SystemClock())

    async def waits_ms(self) -> int | None:
        """Return the age of the oldest record that no loader has committed, by the brokers' stamps.

        0 where there is none, None where brokers do not answer or do not show all of them.
        """
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
