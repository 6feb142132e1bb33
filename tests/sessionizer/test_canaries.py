"""What of Faust and aiokafka we rely on, or work around: an upgrade that changes it fails here.

Each test names the behaviour. Where one fails, read ``services/sessionizer/app.py`` and
``table.py`` beside the new version's source before anything is changed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import TP

from services.common.kafka import client_options, worker_group
from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics import ensure_topics, topic_name
from services.sessionizer.app import make_app
from services.sessionizer.core.policy import SourceRules, Time
from services.sessionizer.owners import Owners
from services.sessionizer.tally import Tally
from tests.sessionizer.street import TICK
from tests.sessionizer.told import eventually


@pytest.fixture
async def settings(kafka_settings: Settings, tmp_path: Path) -> Settings:
    settings = kafka_settings.model_copy(update={"kafka_partitions": 2, "data": tmp_path})
    await ensure_topics(settings)
    return settings


def owners_of(settings: Settings) -> Owners:
    return Owners(settings, lambda _: SourceRules(), Time(), Tally(Metrics()))


def fail(error: BaseException) -> None:
    raise error


def ours(settings: Settings) -> tuple[Any, Owners]:
    owners = owners_of(settings)
    app, _ = make_app(settings, owners, fail)
    return app, owners


def theirs(settings: Settings, **options: Any) -> Any:
    """Return an app on the same events as an unwary author would write it."""
    return faust.App(
        f"{settings.kafka_prefix}-plain",
        broker=f"kafka://{settings.kafka}",
        datadir=settings.data / "plain",
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


async def test_an_exception_in_an_agent_acknowledges_its_record(settings: Settings) -> None:
    """So every record is folded inside ``loudly``, which ends the process instead."""
    app = theirs(settings)
    events = app.topic(topic_name(settings, "events"), value_serializer="raw")
    seen: list[bytes] = []

    def see(event: Any) -> None:
        seen.append(event.value)
        if event.value == b"bad":
            raise ValueError(event.value)

    read_by(app, events, see, noack=False)
    await put(settings, b"bad", b"good")
    async with running(app):
        await eventually(asking(lambda: b"good" in seen), "read on")
    assert await committed(settings, f"{settings.kafka_prefix}-plain") == 2


async def test_a_topic_without_acks_is_never_committed_by_faust(settings: Settings) -> None:
    """So the group's offset is what the owners say, and never lies past what they have applied."""
    app = theirs(settings)
    events = app.topic(topic_name(settings, "events"), value_serializer="raw", acks=False)
    seen: list[bytes] = []

    def see(event: Any) -> None:
        seen.append(event.value)
        event.ack()

    read_by(app, events, see, noack=True)
    await put(settings, *[b"%d" % n for n in range(20)])
    async with running(app):
        await eventually(asking(lambda: len(seen) == 20), "read")
        await asyncio.sleep(1)
        assert events.get_topic_name() not in app.topics.acking_topics
    assert await committed(settings, f"{settings.kafka_prefix}-plain") is None


async def test_a_null_value_reaches_the_agent(settings: Settings) -> None:
    """So a foreign producer's null is told as poison, and does not hold up its partition."""
    app = theirs(settings)
    events = app.topic(topic_name(settings, "events"), value_serializer="raw", acks=False)
    seen: list[Any] = []

    read_by(app, events, lambda event: seen.append(event.message.value), noack=True)
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    await producer.send_and_wait(topic_name(settings, "events"), None, b"key", partition=0)
    await producer.stop()
    await put(settings, b"after")
    async with running(app):
        await eventually(asking(lambda: len(seen) == 2), "read")
    assert seen == [None, b"after"]


async def test_our_commit_moves_the_group_and_a_restart_reads_on_from_there(
    settings: Settings,
) -> None:
    """``Consumer._commit`` is Faust's own way to the broker, past its acknowledgements."""
    app, owners = ours(settings)
    await put(settings, *[TICK] * 5)
    async with running(app):
        await eventually(asking(lambda: 0 in owners.by_number), "owned")
        await eventually(asking(lambda: owners.by_number[0].last == 4), "folded")
        assert await app.consumer._commit({TP(topic_name(settings, "events"), 0): 3})
        await owners.close()
    await owners.stop()
    assert await committed(settings, worker_group(settings)) == 3


async def test_a_rebalance_asks_the_store_before_faust_recovers(settings: Settings) -> None:
    """The restore happens in ``on_rebalance``; ``persisted_offset`` leaves Faust nothing to do."""
    app, owners = ours(settings)
    async with running(app):
        await eventually(asking(lambda: app.tables.actives_ready), "ready")
        assert set(owners.by_number) == {0, 1}
        store = app.tables["states"].data
        for number in (0, 1):
            assert store.persisted_offset(TP(topic_name(settings, "states"), number)) == (
                owners.changelog_end(number) - 1
            )
        assert not app.tables.recovery.need_recovery()
        assert store.data == {}
        await owners.close()
    await owners.stop()


async def test_the_table_cannot_be_written(settings: Settings) -> None:
    app, _ = ours(settings)
    table = app.tables["states"]
    with pytest.raises(TypeError, match="transactions alone"):
        table["key"] = b"value"


async def test_no_web_server_no_standby_no_topics_made(settings: Settings) -> None:
    app, _ = ours(settings)
    app.finalize()
    assert not app.conf.web_enabled
    assert app.conf.table_standby_replicas == 0
    assert not app.conf.topic_allow_declare
    assert not app.conf.stream_wait_empty
    assert app.conf.processing_guarantee.value == "at_least_once"
    agent = next(iter(app.agents.values()))
    assert agent.concurrency == 1


async def test_a_record_in_a_gap_is_fetched_again(settings: Settings) -> None:
    """The group's offset is a hint: moved past what is applied, the records between are read."""
    app, owners = ours(settings)
    await put(settings, *[TICK] * 10)
    mover = AIOKafkaConsumer(
        **client_options(settings), group_id=worker_group(settings), enable_auto_commit=False
    )
    tp = TopicPartition(topic_name(settings, "events"), 0)
    await mover.start()
    mover.assign([tp])
    await mover.commit({tp: 7})
    await mover.stop()
    async with running(app):
        await eventually(asking(lambda: 0 in owners.by_number), "owned")
        await eventually(asking(lambda: owners.by_number[0].last == 9), "folded")
        assert owners.by_number[0].fold.applied == 9
        await owners.close()
    await owners.stop()


async def test_with_a_linger_a_second_batch_waits_until_the_first_has_lingered(
    settings: Settings,
) -> None:
    """So our producers have none; without, as many batches as are wanted go out in a row."""
    producer = AIOKafkaProducer(**client_options(settings), linger_ms=1_500)
    await producer.start()
    topic = topic_name(settings, "sessions")
    try:
        began = time.monotonic()
        for _ in range(2):
            batch = producer.create_batch()
            batch.append(key=None, value=b"1", timestamp=None)
            async with asyncio.timeout(60):
                await producer.send_batch(batch, topic, partition=0)
        assert time.monotonic() - began > 1.4
    finally:
        await producer.stop()
