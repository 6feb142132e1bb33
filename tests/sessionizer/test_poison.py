"""What nobody can fold: each to the dead letters with reason and position, and a limit to it."""

import asyncio
import gzip
from functools import partial
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.rows import DeadLetter
from services.common.errors import FatalError
from services.common.kafka import client_options, worker_group
from services.common.partitions import key_of, partition_of
from services.common.ports import LogRecord, PartitionMeta
from services.common.settings import Settings
from services.common.topics import topic_name
from services.sessionizer.core.admission import Poison
from services.sessionizer.core.partition import Partition
from services.sessionizer.poison import KEPT_BYTES, LEAST, MAX_BYTES, Home, Limit, letter, unfit
from services.sessionizer.states import States
from tests.sessionizer.street import TICK, Street, does, now_ms, street, visit
from tests.sessionizer.told import RULES, eventually, exact
from tests.sessionizer.workers import FENCED, crew
from tests.support.commands import Commands
from tests.support.kafka import expel, read_all


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    return kafka_settings.model_copy(update={"kafka_partitions": 2})


async def letters(settings: Settings) -> list[DeadLetter]:
    records = await read_all(settings, "dead-letters")
    return [msgspec.json.decode(one.value, type=DeadLetter) for one in records]


async def huge(here: Street, number: int) -> int:
    """Send what is small on the wire and greater than anything we fold when unpacked."""
    producer = AIOKafkaProducer(
        **client_options(here.settings), compression_type="gzip", max_request_size=2 * MAX_BYTES
    )
    await producer.start()
    try:
        topic = topic_name(here.settings, "events")
        value = b'{"type":"' + b"x" * MAX_BYTES + b'"}'
        assert len(gzip.compress(value)) < 100_000
        return int((await producer.send_and_wait(topic, value, partition=number)).offset)
    finally:
        await producer.stop()


async def test_poison_is_kept_with_reason_and_position_and_the_rest_goes_on(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        stray = does("page_view", "stray", path="/", page_kind="home")
        home = here.home("stray")
        line = msgspec.json.encode(stray)
        good = does("page_view", "good", path="/", page_kind="home")
        mixed = b"\n".join([b'{"type":"page_view","ts_ms":"soon"}', msgspec.json.encode(good)])
        await here.send(*visit(3))
        places = {
            (0, await here.raw(0, b"no json at all")): "malformed",
            (0, await here.raw(0, b'{"type":"teleport","source":"shop"}')): "teleport",
            (0, await here.raw(0, b'{"type":"page_view","source":"shop"}')): "",
            (0, await here.raw(0, None, b"key")): "null value",
            (0, await here.raw(0, b"\xff\xfe")): "",
            (1, await huge(here, 1)): "bytes",
            (1 - home, await here.raw(1 - home, line, key_of("shop", "stray"))): "wrong partition",
            (here.home("good"), await here.raw(here.home("good"), mixed)): "ts_ms",
        }
        here.sent.append(good)
        await here.send(*visit(7))
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            await exact(settings, here.sent)
            found = {(one.partition, one.offset): one for one in await letters(settings)}
            assert found.keys() == places.keys()
            for place, reason in places.items():
                assert reason in found[place].message, found[place]
                assert found[place].topic == topic_name(settings, "events")
            assert found[1 - home, max(o for n, o in places if n == 1 - home)].original
            assert await asyncio.to_thread(worker.stop) == 0, worker.text()[-3000:]


async def test_a_worker_stops_where_most_of_what_comes_is_poison(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            await asyncio.gather(*(here.raw(0, b"a bad deploy") for _ in range(150)))
            assert await asyncio.to_thread(worker.wait) == FENCED
            assert "WAYMARK_POISON_SHARE" in worker.text()
            for _ in range(2):  # started again and again, it gets no further
                await expel(settings, worker_group(settings))
                again = hands.hire()
                assert await asyncio.to_thread(again.wait) == FENCED
                assert len(await _ids(settings)) <= LEAST
            await expel(settings, worker_group(settings))
            drained = hands.hire(poison_share=1)
            await asyncio.to_thread(drained.wait_ready)
            await here.send(*visit(3))
            await exact(settings, here.sent)
            await eventually(partial(_kept, settings, 150), "all of it is kept")
            assert len(await _ids(settings)) == 150


async def _ids(settings: Settings) -> set[str]:
    return {one.id for one in await letters(settings)}


async def _kept(settings: Settings, count: int) -> bool:
    return len(await _ids(settings)) >= count


def test_a_few_bad_records_never_stop_a_partition() -> None:
    limit = Limit(0.0, window=20, least=5)
    for number in range(100):
        limit.count(number, bad=number % 4 == 0)


def test_the_share_counts_the_newest_records_alone() -> None:
    limit = Limit(0.5, window=20, least=5)
    for number in range(20):
        limit.count(number, bad=False)
    for number in range(20, 30):
        limit.count(number, bad=True)
    with pytest.raises(FatalError, match="11 of the newest 20"):
        limit.count(30, bad=True)


def test_a_share_of_one_never_stops() -> None:
    limit = Limit(1.0, window=20, least=0)
    for number in range(100):
        limit.count(number, bad=True)


def test_what_was_counted_outlives_its_counter_and_is_counted_once() -> None:
    limit = Limit(0.5, window=20, least=5)
    for number in range(12):
        limit.count(number, bad=number >= 6)
    kept = limit.changed(b"key")[b"key"]
    assert kept is not None
    heir = Limit(0.5, kept, window=20, least=5)
    for number in range(6, 12):  # read again
        heir.count(number, bad=True)
    with pytest.raises(FatalError, match="7 of the newest 13"):
        heir.count(12, bad=True)


def test_nothing_is_kept_where_there_is_no_poison_any_more() -> None:
    limit = Limit(0.5, window=4)
    limit.count(0, bad=False)
    assert limit.changed(b"key") == {}
    limit.count(1, bad=True)
    assert limit.changed(b"key")[b"key"]
    for number in range(2, 6):
        limit.count(number, bad=False)
    assert limit.changed(b"key") == {b"key": None}
    assert limit.changed(b"key") == {}


def test_every_line_is_held_against_its_partition() -> None:
    """A record of several visitors, of whom one belongs elsewhere, loses that one's lines alone."""
    here = partition_of(key_of("shop", "v0"), 4)
    names = [f"v{number}" for number in range(40)]
    events = [does("page_view", name, path="/", page_kind="home") for name in names]
    fold = Partition(
        lambda _: RULES, States(), PartitionMeta(-1, partitions=4), elsewhere=Home(here, 4)
    )
    body = b"\n".join(map(msgspec.json.encode, [*events, does("purchase", "", user_id="u9")]))
    poisons = fold.apply(LogRecord(1, now_ms() + 1, body))
    strays = [
        place
        for place, name in enumerate([*names, "user:u9"])
        if partition_of(key_of("shop", name), 4) != here
    ]
    assert [one.line for one in poisons] == strays
    assert all("wrong partition" in one.reason for one in poisons)
    assert fold.visitor("shop", "v0") is not None
    assert all(fold.visitor("shop", names[place]) is None for place in strays if place < 40)


def test_only_what_is_there_and_not_huge_is_tried() -> None:
    assert unfit(TICK) == unfit(b"") == ""
    assert unfit(None) == "null value"
    assert "are allowed" in unfit(b" " * (MAX_BYTES + 1))


def test_a_letter_of_a_long_original_keeps_its_beginning() -> None:
    poison = Poison(7, 2, "too long", "ä".encode() * KEPT_BYTES)
    kept = msgspec.json.decode(letter("t.events", 3, poison, 5), type=DeadLetter)
    assert (kept.partition, kept.offset, kept.received_ms) == (3, 7, 5)
    assert len(kept.original) <= KEPT_BYTES * 4 // 3 + 4
    assert kept.message == f"too long (the first {KEPT_BYTES} bytes are kept)"
    assert letter("t.events", 3, poison, 5) == letter("t.events", 3, poison, 5)
