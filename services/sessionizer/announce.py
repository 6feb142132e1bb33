"""Who owns what, announced in a compacted topic: partition to the URL of the worker that has it.

Announced anew after every rebalance and every half minute, so that a stale word of a former owner
does not stand for long. A worker that goes takes its words back before it leaves the group: after
that, the next owner's are already there.
"""

import asyncio
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaProducer
from msgspec import Struct

from services.common.kafka import client_options
from services.common.ports import Clock
from services.common.settings import Settings
from services.common.topics import topic_name

AGAIN_SECONDS = 30.0


class Announcement(Struct, frozen=True):
    """One partition's owner: where it is asked, since when it owns it, and what it folds by.

    ``policy`` is ``mark_of`` the installation's, "" where a worker of before does not say.
    """

    partition: int
    url: str
    since_ms: int
    policy: str = ""


class Announcer:
    """Tells the other parts which partitions are to be asked here."""

    def __init__(self, settings: Settings, url: str, policy: str, clock: Clock) -> None:
        """Announce under this URL; nothing is sent before ``start``."""
        self._topic = topic_name(settings, "owners")
        self._url = url
        self._policy = policy
        self._clock = clock
        self._since: dict[int, int] = {}
        self._producer = AIOKafkaProducer(**client_options(settings), acks="all", linger_ms=0)

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def announce(self, numbers: Iterable[int]) -> None:
        """Say that exactly these partitions are owned here."""
        now_ms = self._clock.now_ms()
        self._since = {number: self._since.get(number, now_ms) for number in numbers}
        await asyncio.gather(*(self._say(n, since) for n, since in self._since.items()))

    async def _say(self, number: int, since_ms: int) -> None:
        word = msgspec.json.encode(Announcement(number, self._url, since_ms, self._policy))
        await self._producer.send_and_wait(
            self._topic, key=str(number).encode(), value=word, partition=0
        )

    async def withdraw(self) -> None:
        """Take back what was said; only while nobody else can own the partitions yet."""
        gone, self._since = self._since, {}
        await asyncio.gather(
            *(
                self._producer.send_and_wait(self._topic, key=str(n).encode(), partition=0)
                for n in gone
            )
        )

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()
