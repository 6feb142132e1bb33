"""What of Faust and aiokafka we rely on, or work around: an upgrade that changes it fails here.

Each test names the behaviour; those of a rebalance are in ``test_canaries_group.py``. Where one
fails, read ``services/sessionizer/app.py`` and ``table.py`` beside the new version's source before
anything is changed.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faust.types import TP

from services.common.kafka import client_options, worker_group
from services.common.ports import Changes, PartitionMeta
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.effects import Effects
from tests.sessionizer.apps import (
    asking,
    committed,
    ours,
    put,
    read_by,
    recovered,
    running,
    theirs,
)
from tests.sessionizer.street import TICK
from tests.sessionizer.told import eventually


@pytest.fixture
async def settings(kafka_settings: Settings, tmp_path: Path) -> Settings:
    settings = kafka_settings.model_copy(update={"kafka_partitions": 2, "data": tmp_path})
    await ensure_topics(settings)
    return settings


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


async def test_the_store_is_asked_before_recovery_and_leaves_it_nothing(
    settings: Settings,
) -> None:
    """Restored in ``on_rebalance``, and all there by ``persisted_offset``: Faust gets ready.

    The log of a transaction ends with its marker, which is no record: an end that Faust would wait
    for cannot be seen where nothing was written.
    """
    effects = Effects(settings, 0)
    await effects.start()
    meta = PartitionMeta(applied=-1, partitions=2)
    await effects.write(Changes(meta, {}, {}, []))
    await effects.stop()
    app, owners = ours(settings)
    read = recovered(app)
    async with running(app):
        await eventually(asking(lambda: app.tables.actives_ready), "ready")
        store = app.tables["states"].data
        last = store.persisted_offset(TP(topic_name(settings, "states"), 0))
        assert last == 1, "the meta at 0 and the marker"
        await put(settings, TICK)
        await eventually(asking(lambda: owners.by_number[0].last == 0), "streams run")
        await owners.close()
    await owners.stop()
    assert read == []
    assert store.data == {}


async def test_a_table_cannot_be_written_but_by_a_stream(settings: Settings) -> None:
    """So time is a record of the log; and ours is written by nobody at all."""
    plain = theirs(settings).Table("plain")
    with pytest.raises(TypeError, match="outside of stream iteration"):
        plain["key"] = "value"
    app, _ = ours(settings)
    with pytest.raises(TypeError, match="transactions alone"):
        app.tables["states"]["key"] = b"value"


async def test_what_faust_does_by_itself_is_off(settings: Settings) -> None:
    """Each of these is on by default; two read a record at a time, one commits past what failed."""
    app, _ = ours(settings)
    app.finalize()
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
