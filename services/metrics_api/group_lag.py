"""How many records a consumer group has before it, and how long the oldest of them has waited."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct

from services.common.kafka import client_options
from services.common.ports import Clock
from services.common.settings import Settings

READ_SECONDS = 1.0
"""For the oldest records; a partition whose record has not come by then is left out."""
STEP_MS = 200
AHEAD_MS = 1_000
"""A stamp this far in the future tells of a broker whose clock is ahead: no age is known by it."""


class Lag(Struct, frozen=True):
    """Records that wait, and the oldest one's age: 0 where none waits, None where unknown.

    Without ``whole`` some partition's records were not seen, and there may be older ones.
    """

    records: int
    age_ms: int | None
    whole: bool = True


class GroupLag:
    """Looks over one connection that is kept. One look at a time; raises what aiokafka raises."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Look at these settings' brokers; nothing is connected yet."""
        self._settings = settings
        self._clock = clock
        self._reader: Any = None
        self._admin: Any = None

    async def look(self, group: str, topics: Sequence[str]) -> Lag:
        """Return what of some topics a group has not committed yet."""
        await self._connect()
        numbers = range(self._settings.kafka_partitions)
        every = [TopicPartition(topic, number) for topic in topics for number in numbers]
        first = await self._reader.beginning_offsets(every)
        end = await self._reader.end_offsets(every)
        done = await self._admin.list_consumer_group_offsets(group, partitions=every)
        places = {one: max(first[one], done[one].offset if one in done else 0) for one in every}
        waiting = {one: at for one, at in places.items() if at < end[one]}
        records = sum(end[one] - at for one, at in waiting.items())
        if not waiting:
            return Lag(0, 0)
        age_ms, whole = await self._age(waiting, end)
        return Lag(records, age_ms, whole)

    async def close(self) -> None:
        """Let go of the brokers; the next look connects again."""
        reader, self._reader = self._reader, None
        admin, self._admin = self._admin, None
        if reader is not None:
            await asyncio.gather(reader.stop(), admin.close(), return_exceptions=True)

    async def _connect(self) -> None:
        if self._reader is not None:
            return
        options = client_options(self._settings)
        self._reader = AIOKafkaConsumer(
            **options,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_partition_fetch_bytes=1,  # one batch a time: no more than a time is wanted of it
        )
        self._admin = AIOKafkaAdminClient(**options)
        try:  # one after the other: of two at a time, one would go on where the other fails
            await self._reader.start()
            await self._admin.start()
        except BaseException:
            await self.close()
            raise

    async def _age(
        self, waiting: Mapping[TopicPartition, int], end: Mapping[TopicPartition, int]
    ) -> tuple[int | None, bool]:
        """Return the age of the oldest record at these places, by the brokers' time stamps.

        And whether all of them were seen: where only the ends of transactions are left, none is.
        """
        self._reader.assign(list(waiting))
        for one, at in waiting.items():
            self._reader.seek(one, at)
        missing = set(waiting)
        stamps = []
        until = time.monotonic() + READ_SECONDS
        try:
            while missing and time.monotonic() < until:
                found = await self._reader.getmany(*missing, timeout_ms=STEP_MS, max_records=1)
                for where, records in found.items():
                    missing.discard(where)
                    self._reader.pause(where)
                    stamps.append(records[0].timestamp)
            places = {one: await self._reader.position(one) for one in missing}
        finally:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._reader.unsubscribe()
        whole = all(at >= end[one] for one, at in places.items())
        if not stamps:
            return (0 if whole else None), whole
        return _age_of(stamps, self._clock.now_ms()), whole


def _age_of(stamps: Sequence[int], now_ms: int) -> int | None:
    """Return the oldest one's age. A record of a clock that is ahead is older than it tells."""
    return None if max(stamps) > now_ms + AHEAD_MS else max(0, now_ms - min(stamps))
