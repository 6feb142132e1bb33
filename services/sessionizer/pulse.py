"""Whether the worker lives: not that its process exists, but that its loop turns and it commits.

A Kafka consumer can die quietly. So the ends of the partitions are looked up beside Faust, and a
partition that has records to read and gets none for a minute makes the worker unhealthy; whoever
runs it starts it again, and the group gives its partitions to others meanwhile.
"""

import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import topic_name
from services.sessionizer.app import REBALANCE_SECONDS
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners
from services.sessionizer.restore import settled_seconds
from services.sessionizer.tally import Tally

LATE_SECONDS = 60.0
TURN_SECONDS = 30.0


def moving_seconds(settings: Settings) -> float:
    """Return how long a rebalance may take: what all need to join, a restore, and open writes."""
    return 2.0 * REBALANCE_SECONDS + settled_seconds(settings)


class Pulse:
    """Watches the owners of one worker."""

    def __init__(self, settings: Settings, owners: Owners, tally: Tally) -> None:
        """Watch these owners; nothing is connected before ``start``."""
        self._topic = topic_name(settings, "events")
        self._owners = owners
        self._tally = tally
        self._moving_seconds = moving_seconds(settings)
        self._looker = AIOKafkaConsumer(**client_options(settings), enable_auto_commit=False)
        self._turned_at = time.monotonic()
        self._moved: dict[int, tuple[int, float]] = {}
        self.lag: dict[int, int] = {}

    async def start(self) -> None:
        """Connect."""
        await self._looker.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._looker.stop()

    def turn(self) -> None:
        """Note that the loop turns."""
        self._turned_at = time.monotonic()

    async def look(self) -> None:
        """Compare every partition with its end."""
        owners = self._owners.every()
        tps = [TopicPartition(self._topic, owner.number) for owner in owners]
        ends: dict[Any, int] = await self._looker.end_offsets(tps) if tps else {}
        self.lag = {
            owner.number: max(0, ends[tp] - 1 - owner.last)
            for owner, tp in zip(owners, tps, strict=True)
        }
        self._moved = {owner.number: self._moved_at(owner) for owner in owners}
        for number, lag in self.lag.items():
            self._tally.lag(number, lag)

    def _moved_at(self, owner: Owner) -> tuple[int, float]:
        """Return how far it went and since when it is there, or since when all is read."""
        known = self._moved.get(owner.number)
        # A log that ends with a transaction's marker shows one record more than there is.
        if known is None or known[0] != owner.steps or self.lag[owner.number] <= 1:
            return owner.steps, time.monotonic()
        return known

    def trouble(self) -> str:
        """Return why the worker is as good as dead, empty where it lives."""
        now = time.monotonic()
        if now - self._turned_at > TURN_SECONDS:
            return f"the loop has not turned for {now - self._turned_at:.0f} s"
        if self._owners.moving and now - self._owners.moving_since > self._moving_seconds:
            return f"a rebalance goes on for {now - self._owners.moving_since:.0f} s"
        return self._stuck(self._owners.every(), now)

    def _stuck(self, owners: Iterable[Owner], now: float) -> str:
        for owner in owners:
            if owner.waiting_seconds > LATE_SECONDS:
                return (
                    f"partition {owner.number}: records wait to be stored for "
                    f"{owner.waiting_seconds:.0f} s"
                )
            since = self._moved.get(owner.number, (0, now))[1]
            if now - since > LATE_SECONDS:
                return (
                    f"partition {owner.number}: {self.lag.get(owner.number, 0)} records to read, "
                    f"and none came for {now - since:.0f} s"
                )
        return ""
