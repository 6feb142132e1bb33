"""Apps of Faust within a test: the worker's own, and one as an unwary author would write it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.common.kafka import client_options
from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics import topic_name
from services.sessionizer.app import make_app
from services.sessionizer.core.policy import SourceRules, Time
from services.sessionizer.owners import Owners
from services.sessionizer.tally import Tally


def owners_of(settings: Settings) -> Owners:
    return Owners(settings, lambda _: SourceRules(), Time(), Tally(Metrics()))


def fail(error: BaseException) -> None:
    raise error


def ours(settings: Settings) -> tuple[Any, Owners]:
    owners = owners_of(settings)
    app, _ = make_app(settings, owners, fail)
    return app, owners


def recovered(app: Any) -> list[Any]:
    """Return where to find, from now on, what Faust's recovery reads of a worker's changelog."""
    found: list[Any] = []

    async def note(event: Any) -> None:
        found.append(event)

    app.tables["states"]._on_changelog_event = note
    return found


def theirs(settings: Settings, *, folder: str = "plain", **options: Any) -> Any:
    """Return an app on the same events as an unwary author would write it."""
    return faust.App(
        f"{settings.kafka_prefix}-plain",
        broker=f"kafka://{settings.kafka}",
        datadir=settings.data / folder,
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        broker_commit_interval=0.2,
        consumer_auto_offset_reset="earliest",
        **options,
    )


def read_by(app: Any, events: Any, see: Callable[[Any], None], *, noack: bool) -> None:
    """Have an agent of the app show every event of a topic."""

    async def fold(stream: Any) -> None:
        async for event in (stream.noack() if noack else stream).events():
            see(event)

    app.agent(events)(fold)


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[Any]:
    starting = asyncio.create_task(app.start())
    try:
        yield app
    finally:
        await app.stop()
        await asyncio.gather(starting, return_exceptions=True)


async def put(settings: Settings, *values: bytes, partition: int = 0) -> None:
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    topic = topic_name(settings, "events")
    for value in values:
        await producer.send_and_wait(topic, value, partition=partition)
    await producer.stop()


async def committed(settings: Settings, group: str) -> int | None:
    reader = AIOKafkaConsumer(**client_options(settings), group_id=group, enable_auto_commit=False)
    await reader.start()
    try:
        found = await reader.committed(TopicPartition(topic_name(settings, "events"), 0))
        return None if found is None else int(found)
    finally:
        await reader.stop()


def asking(what: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def ask() -> Any:
        return what()

    return ask
