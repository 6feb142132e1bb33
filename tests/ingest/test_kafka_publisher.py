"""The log's writing end on a real broker: what a record holds, and what happens without one."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from deploy.kafka.broker import Broker
from schemas.event import TICK
from schemas.rows import DeadLetter
from services.common.errors import OverloadedError, UnavailableError
from services.common.partitions import key_of, partition_of
from services.common.ports import Outgoing
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from services.ingest.kafka_publisher import KafkaPublisher
from tests.support.kafka import PARTITIONS, read_all, settings_for
from tests.support.kafka_load import Load, assert_nothing_lost, outgoing

WAIT = 120.0


@asynccontextmanager
async def publishing(settings: Settings, **options: Any) -> AsyncIterator[KafkaPublisher]:
    await ensure_topics(settings, ["events", "dead-letters"])
    publisher = KafkaPublisher(settings, **options)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


@pytest.fixture
async def publisher(kafka_settings: Settings) -> AsyncIterator[KafkaPublisher]:
    """Return one that waits for a busy machine's broker: what it writes is asked, not how soon."""
    async with publishing(kafka_settings, patience_seconds=WAIT) as made:
        yield made


def sending(publisher: KafkaPublisher) -> Any:
    async def send(visitor: str, number: int) -> None:
        await publisher.publish([outgoing(visitor, number)])

    return send


async def test_a_record_holds_events_of_its_own_partition_as_lines(
    publisher: KafkaPublisher,
) -> None:
    items = [outgoing(f"v{n % 20}", n) for n in range(200)]
    at_ms = await publisher.publish(items)
    records = await read_all(publisher.settings, "events")
    lines = [(one.partition, line) for one in records for line in one.value.split(b"\n")]
    wanted = [(partition_of(key_of(i.source, i.address), PARTITIONS), i.line) for i in items]
    assert sorted(lines) == sorted(wanted)
    assert len(records) == len({partition for partition, _ in wanted})
    assert max(one.timestamp for one in records) == at_ms
    assert {one.timestamp_type for one in records} == {1}, "stamped by the broker"


async def test_requests_at_the_same_time_share_records(publisher: KafkaPublisher) -> None:
    await asyncio.gather(*[publisher.publish([outgoing("v1", n)]) for n in range(300)])
    assert len(await read_all(publisher.settings, "events")) < 30


async def test_partitions_of_a_broker_gather_while_a_request_to_it_is_on_its_way(
    victim: Broker,
) -> None:
    settings = settings_for(victim.address)
    one, other = visitors_of_two_partitions()
    async with publishing(settings, hold_seconds=WAIT) as publisher:
        await taken_at_last(publisher, outgoing(one, 0))
        for number in range(1, 20):  # on a busy machine it may refuse, or hang too late
            later = [outgoing(other, 2 * number), outgoing(other, 2 * number + 1)]
            if await taken_while_it_hangs(publisher, victim, [outgoing(one, number), *later]):
                values = [record.value for record in await read_all(settings, "events")]
                if b"\n".join(item.line for item in later) in values:
                    return
    raise AssertionError("never in one record")


def visitors_of_two_partitions() -> tuple[str, str]:
    found = {partition_of(key_of("shop", f"v{n}"), PARTITIONS): f"v{n}" for n in range(50)}
    return found[0], found[1]


async def taken_while_it_hangs(
    publisher: KafkaPublisher, victim: Broker, items: list[Outgoing]
) -> bool:
    """Publish one after the other to a broker that hangs; tell whether it took them afterwards."""
    victim.send(signal.SIGSTOP)
    try:
        under_way = []
        for item in items:
            under_way.append(asyncio.ensure_future(publisher.publish([item])))
            await asyncio.sleep(0.05)  # what could be handed over was
    finally:
        victim.send(signal.SIGCONT)
    results = await asyncio.gather(*under_way, return_exceptions=True)
    return not any(isinstance(result, UnavailableError) for result in results)


async def test_a_record_stays_within_its_size(publisher: KafkaPublisher) -> None:
    big = b"x" * 200_000
    items = [Outgoing("shop", "v1", b'{"n":%d,"x":"%s"}' % (n, big)) for n in range(12)]
    await asyncio.gather(*[publisher.publish([item]) for item in items])
    records = await read_all(publisher.settings, "events")
    assert b"\n".join(one.value for one in records).split(b"\n") == [item.line for item in items]
    assert max(len(one.value) for one in records) <= 512 * 1024


async def test_nothing_to_publish_is_published_at_once(publisher: KafkaPublisher) -> None:
    assert await publisher.publish([]) == 0
    assert await read_all(publisher.settings, "events") == []


async def test_the_largest_refused_item_is_kept_whole(publisher: KafkaPublisher) -> None:
    letter = DeadLetter(
        id="x", source="shop", received_ms=1, code="invalid_json", field="", message="",
        original="\0" * 500 * 1024,
    )  # fmt: skip
    await publisher.keep([letter])
    records = await read_all(publisher.settings, "dead-letters")
    assert [msgspec.json.decode(one.value, type=DeadLetter) for one in records] == [letter]


async def test_time_passes_on_every_quiet_partition_while_ingest_accepts(
    kafka_settings: Settings,
) -> None:
    patient = publishing(kafka_settings, tick_seconds=0.2, patience_seconds=WAIT)
    async with patient as publisher:
        await asyncio.sleep(0.6)
        assert await read_all(kafka_settings, "events") == []
        publisher.accept(True)
        async with asyncio.timeout(WAIT):
            while True:
                records = await read_all(kafka_settings, "events")
                if {one.partition for one in records} == set(range(PARTITIONS)):
                    break
        assert {one.value for one in records} == {TICK}
        publisher.accept(False)
        await publisher.publish([outgoing("v1", 0)])  # behind whatever tick is on its way
        before = len(await read_all(kafka_settings, "events"))
        await asyncio.sleep(0.6)
        assert len(await read_all(kafka_settings, "events")) - before < PARTITIONS


async def test_a_broker_that_hangs_is_answered_in_time_and_holds_no_memory(victim: Broker) -> None:
    settings = settings_for(victim.address)
    async with publishing(settings) as publisher:
        await taken_at_last(publisher, outgoing("v1", 0))
        victim.send(signal.SIGSTOP)
        try:
            load = Load(sending(publisher), 50)
            load.start()
            await asyncio.wait_for(load.refusals(2_000), WAIT)
            await asyncio.wait_for(load.stop(), WAIT)
            assert publisher.trouble
            # What was never sent is let go of; a batch on its way cannot be.
            assert publisher.bytes < PARTITIONS * 51 * 100
        finally:
            victim.send(signal.SIGCONT)
        again = Load(sending(publisher), 50)
        again.start()
        await asyncio.wait_for(again.more(5), WAIT)
        await again.stop()
        async with asyncio.timeout(WAIT):
            while publisher.trouble:  # noqa: ASYNC110 - said anew with the next sweep
                await asyncio.sleep(0.01)
        assert_nothing_lost(again, await read_all(settings, "events"))


async def test_a_broker_that_is_gone_is_found_out_once_and_then_refuses_at_once(
    victim: Broker,
) -> None:
    settings = settings_for(victim.address)
    letter = DeadLetter(
        id="x", source="shop", received_ms=1, code="invalid_json", field="", message="",
        original="{",
    )  # fmt: skip
    async with publishing(settings) as publisher:
        await taken_at_last(publisher, outgoing("v1", 0))
        victim.send(signal.SIGSTOP)
        try:
            with pytest.raises(UnavailableError):
                await publisher.publish([outgoing("v1", 1)])
            async with asyncio.timeout(WAIT):
                while not publisher.shut:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
            held = publisher.bytes
            for n in range(20):  # of every partition, most never tried since the broker hangs
                assert_raised_before_any_wait(publisher.publish([outgoing(f"v{n}", 2)]))
                assert_raised_before_any_wait(
                    publisher.keep([msgspec.structs.replace(letter, id=f"{n}")])
                )
            assert publisher.bytes == held
        finally:
            victim.send(signal.SIGCONT)
        async with asyncio.timeout(WAIT):
            while publisher.trouble:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.05)
        await taken_at_last(publisher, outgoing("v2", 3))


async def taken_at_last(publisher: KafkaPublisher, item: Outgoing) -> None:
    """Publish as a client does: a busy machine's broker may be slow enough to be refused first."""
    async with asyncio.timeout(WAIT):
        while True:
            try:
                await publisher.publish([item])
            except UnavailableError:
                await asyncio.sleep(0.1)
            else:
                return


def assert_raised_before_any_wait(call: Coroutine[Any, Any, Any]) -> None:
    """Fail where a call gives way to others before it refuses; no clock can tell that."""
    try:
        call.send(None)
    except UnavailableError:
        return
    call.close()
    raise AssertionError("it waits")


async def test_what_does_not_fit_into_memory_is_refused_at_once(victim: Broker) -> None:
    settings = settings_for(victim.address, in_flight_bytes=1_000_000)
    async with publishing(settings) as publisher:
        await taken_at_last(publisher, outgoing("v1", 0))
        victim.send(signal.SIGSTOP)
        try:
            item = Outgoing("shop", "v1", json.dumps({"x": "y" * 100_000}).encode())
            first = [asyncio.ensure_future(publisher.publish([item])) for _ in range(9)]
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError, match="at most 1000000 may"):
                await publisher.publish([item])
            results = await asyncio.wait_for(asyncio.gather(*first, return_exceptions=True), WAIT)
            assert {type(one) for one in results} == {UnavailableError}
        finally:
            victim.send(signal.SIGCONT)


async def test_a_killed_broker_loses_and_doubles_nothing_acknowledged(victim: Broker) -> None:
    settings = settings_for(victim.address)
    async with publishing(settings) as publisher:
        load = Load(sending(publisher), 40)
        load.start()
        for _ in range(2):
            await asyncio.wait_for(load.more(20), WAIT)
            await asyncio.to_thread(victim.kill)
            await asyncio.wait_for(load.refusals(80), WAIT)
            await asyncio.to_thread(victim.start)
        await asyncio.wait_for(load.more(20), WAIT)
        await load.stop()
        assert publisher.bytes == 0
    assert_nothing_lost(load, await read_all(settings, "events"))


async def test_an_ingest_that_starts_before_its_broker_takes_events_once_it_is_there(
    victim: Broker,
) -> None:
    settings = settings_for(victim.address)
    await ensure_topics(settings, ["events", "dead-letters"])
    await asyncio.to_thread(victim.kill)
    publisher = KafkaPublisher(settings)
    await publisher.start()
    with pytest.raises(UnavailableError):
        await publisher.publish([outgoing("v1", 0)])
    await asyncio.to_thread(victim.start)
    async with asyncio.timeout(WAIT):
        while publisher.shut:  # noqa: ASYNC110 - it tells nobody when it is back
            await asyncio.sleep(0.05)
    load = Load(sending(publisher), 1)
    load.start()
    await asyncio.wait_for(load.more(1), WAIT)
    await load.stop()
    await publisher.stop()
    assert_nothing_lost(load, await read_all(settings, "events"))
