"""Where each partition is asked: the owners' topic, followed by those who look things up."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.common import logging
from services.common.kafka import client_options
from services.common.policy_file import mark_of
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.announce import Announcement
from services.sessionizer.core.policy import Policy

PAUSE_SECONDS = 1.0


class Directory:
    """Partition to its owner's URL, as last announced. ``start`` returns once all is read."""

    def __init__(self, settings: Settings) -> None:
        """Follow the topic of these settings; nothing is connected before ``start``."""
        self._settings = settings
        self._tp = TopicPartition(topic_name(settings, "owners"), 0)
        self._reader: Any = None
        self._urls: dict[int, str] = {}
        self._policies: dict[int, str] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def urls(self) -> Mapping[int, str]:
        """Return the URL of every partition that has an owner."""
        return self._urls

    def differs(self, policy: Policy) -> str:
        """Say by which other policy of the installation workers fold; "" where by none."""
        mark = mark_of(policy)
        others = sorted(set(self._policies.values()) - {mark, ""})
        if not others:
            return ""
        return (
            f"WAYMARK_POLICY here is {mark}, and workers fold by {' and '.join(others)}: set it to "
            "the file that they were given"
        )

    async def start(self) -> None:
        """Read what is announced, and go on following."""
        await ensure_topics(self._settings, ["owners"])
        # Made here: the client wants the loop that it will run in.
        self._reader = AIOKafkaConsumer(
            **client_options(self._settings), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await self._reader.start()
        self._reader.assign([self._tp])
        begin = (await self._reader.beginning_offsets([self._tp]))[self._tp]
        self._reader.seek(self._tp, begin)
        end = (await self._reader.end_offsets([self._tp]))[self._tp]
        while await self._reader.position(self._tp) < end:
            self._take(await self._reader.getmany(timeout_ms=200))
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._reader is not None:
            await self._reader.stop()

    async def _follow(self) -> None:
        while True:
            try:
                self._take(await self._reader.getmany(timeout_ms=1_000))
            except KafkaError as error:
                logging.get("lookup").warning("the owners cannot be followed", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)

    def _take(self, found: Mapping[Any, list[Any]]) -> None:
        for record in found.get(self._tp, ()):
            number = int(record.key)
            if record.value is None:
                self._urls.pop(number, None)
                self._policies.pop(number, None)
            else:
                said = msgspec.json.decode(record.value, type=Announcement)
                self._urls[number], self._policies[number] = said.url, said.policy
