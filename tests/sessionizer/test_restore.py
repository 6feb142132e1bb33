"""The changelog: written in transactions, read back in bulk, whole and nothing but what holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from services.common.errors import FatalError
from services.common.kafka import client_options
from services.common.metrics import Metrics
from services.common.partitions import key_of, partition_of
from services.common.ports import Changes, Outgoing, PartitionMeta
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.core.policy import SourceRules, Time
from services.sessionizer.effects import BATCH_BYTES, META_KEY, Effects
from services.sessionizer.owners import Owners
from services.sessionizer.restore import ends_of, restore, settled_ends
from services.sessionizer.states import States
from services.sessionizer.tally import Tally
from tests.support.kafka import read_all


@pytest.fixture
async def settings(kafka_settings: Settings) -> Settings:
    await ensure_topics(kafka_settings)
    return kafka_settings


@asynccontextmanager
async def owner(settings: Settings, number: int) -> AsyncIterator[Effects]:
    effects = Effects(settings, number)
    await effects.start()
    try:
        yield effects
    finally:
        await effects.stop()


def changes(
    applied: int,
    states: dict[bytes, bytes | None] | None = None,
    rows: dict[str, list[bytes]] | None = None,
    forwards: list[Outgoing] | None = None,
) -> Changes:
    meta = PartitionMeta(applied, 1_000 + applied, 0, applied, partitions=4)
    return Changes(meta, states or {}, rows or {}, forwards or [])


def silent(*_: int) -> None:
    """Tell nobody how far it is."""


async def test_what_was_committed_is_read_back_whole_every_time(settings: Settings) -> None:
    states = {f"shop\x1fv{n}".encode(): bytes([n % 256]) * 300 for n in range(5_000)}
    async with owner(settings, 1) as effects:
        assert sum(map(len, states.values())) > BATCH_BYTES  # more than one batch: none may wait
        await effects.write(changes(3, dict(states)))
        gone = list(states)[::7]
        await effects.write(changes(4, dict.fromkeys(gone)))
    kept = {key: value for key, value in states.items() if key not in set(gone)}
    told: list[tuple[int, int, int]] = []
    for _ in range(5):
        found = await restore(settings, [0, 1], lambda *at: told.append(at))
        assert found[1].states == kept
        assert found[1].meta == changes(4).meta
        assert (found[0].states, found[0].meta) == ({}, None)
    end = (await ends_of(settings, "states", [1]))[1]
    assert (1, end, end) in told


async def test_what_was_left_open_is_not_seen_and_its_writer_is_fenced(settings: Settings) -> None:
    async with owner(settings, 2) as former:
        await former.write(changes(1, {b"shop\x1fa": b"1"}))
        await former._producer.begin_transaction()
        await former._send((topic_name(settings, "states"), 2), [(b"shop\x1fa", b"9")], 5)
        async with owner(settings, 2) as successor:
            found = await restore(settings, [2], silent)
            assert found[2].states == {b"shop\x1fa": b"1"}
            with pytest.raises(ProducerFenced):
                await former._producer.commit_transaction()
            await successor.write(changes(2, {b"shop\x1fa": b"2"}))
        found = await restore(settings, [2], silent)
        assert found[2].states == {b"shop\x1fa": b"2"}


async def test_an_end_is_told_once_its_transaction_has_its_marker(settings: Settings) -> None:
    async with owner(settings, 0) as effects:
        await effects.write(changes(1))
        await effects._producer.begin_transaction()
        await effects._send((topic_name(settings, "states"), 0), [(b"shop\x1fa", b"1")], 5)
        before = (await ends_of(settings, "states", [0]))[0]
        asking = asyncio.create_task(settled_ends(settings, "states", [0, 1]))
        await asyncio.wait({asking}, timeout=1)
        assert not asking.done()
        await effects._producer.commit_transaction()
        assert await asking == {0: before + 1, 1: 0}


async def test_what_nobody_takes_over_is_waited_for_until_the_brokers_abort_it(
    settings: Settings,
) -> None:
    topic = topic_name(settings, "states")
    stranger = AIOKafkaProducer(
        **client_options(settings),
        transactional_id=f"{settings.kafka_prefix}.stranger",
        transaction_timeout_ms=5_000,  # a busy machine takes a second to send one record
    )
    await stranger.start()
    await stranger.begin_transaction()
    await stranger.send_and_wait(topic, b"9", b"shop\x1fa", partition=0)
    open_ = (await ends_of(settings, "states", [0]))[0]
    owners = Owners(settings, lambda _: SourceRules(), Time(), Tally(Metrics()))
    await owners.assign([0], 1)
    assert owners.changelog_end(0) == open_ + 1  # the abort's marker
    await owners.close()
    await owners.stop()
    found = await restore(settings, [0], silent)
    assert found[0].states == {}
    await stranger.stop()


async def test_a_transaction_holds_rows_and_forwards_too(settings: Settings) -> None:
    forwards = [Outgoing("shop", f"cart:{n}", b'{"n":%d}' % n) for n in range(50)]
    rows = {"signals": [b'{"a":1}', b'{"a":2}'], "event_flags": [b"{}"]}
    async with owner(settings, 3) as effects:
        await effects.write(changes(1, rows=rows, forwards=forwards))
    # A commit is answered before its markers are written, and only then readers see it.
    await settled_ends(settings, "signals", [3])
    await settled_ends(settings, "flags", [3])
    await settled_ends(settings, "events", range(4))
    signals = await read_all(settings, "signals")
    assert [(one.partition, one.value) for one in signals] == [(3, b'{"a":1}'), (3, b'{"a":2}')]
    assert [one.partition for one in await read_all(settings, "flags")] == [3]
    for record in await read_all(settings, "events"):
        for line in record.value.split(b"\n"):
            number = msgspec.json.decode(line)["n"]
            assert partition_of(key_of("shop", f"cart:{number}"), 4) == record.partition


async def test_states_without_a_meta_are_refused(settings: Settings) -> None:
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    topic = topic_name(settings, "states")
    await producer.send_and_wait(topic, b"1", b"shop\x1fa", partition=0)
    await producer.send_and_wait(
        topic, msgspec.msgpack.encode(PartitionMeta(partitions=9)), META_KEY, partition=1
    )
    await producer.stop()
    with pytest.raises(FatalError, match="states and no __meta"):
        await restore(settings, [0], silent)
    with pytest.raises(FatalError, match="written for 9 partitions"):
        await restore(settings, [1], silent)


async def test_partitions_are_written_side_by_side(settings: Settings) -> None:
    async with owner(settings, 0) as first, owner(settings, 1) as second:
        for place in range(5):
            await asyncio.gather(
                first.write(changes(place, {b"shop\x1fa": b"%d" % place})),
                second.write(changes(place, {b"shop\x1fb": b"%d" % place})),
            )
    found = await restore(settings, [0, 1], silent)
    assert found[0].states == {b"shop\x1fa": b"4"}
    assert found[1].states == {b"shop\x1fb": b"4"}


def test_states_know_their_size() -> None:
    states = States({b"a": b"12"})
    states.commit({b"a": b"1", b"b": b"123", b"c": None})
    assert (len(states), states.bytes, states.get(b"b")) == (2, 6, b"123")
    states.commit({b"a": None})
    assert (dict(states.items()), states.bytes) == ({b"b": b"123"}, 4)
