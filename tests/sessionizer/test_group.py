"""How much one transaction holds: enough to be worth it, and never more than its bounds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from services.sessionizer import group
from services.sessionizer.app import Reader
from services.sessionizer.core.policy import Time
from services.sessionizer.core.schedule import SLICE
from services.sessionizer.group import Group
from services.sessionizer.owners import Owners
from services.sessionizer.tally import Tally
from tests.sessionizer.street import TICK, does, now_ms, street
from tests.sessionizer.told import RULES
from tests.support.kafka import read_all

TRANSACTION = "waymark_sessionizer_transaction_seconds"


class Message(msgspec.Struct):
    """What the reader uses of a record."""

    partition: int
    offset: int
    timestamp: float
    value: bytes


@pytest.fixture
async def settings(kafka_settings: Settings) -> Settings:
    settings = kafka_settings.model_copy(update={"kafka_partitions": 1})
    await ensure_topics(settings)
    return settings


@pytest.fixture
async def owned(settings: Settings) -> AsyncIterator[tuple[Owners, Metrics]]:
    metrics = Metrics()
    owners = Owners(settings, lambda _: RULES, Time(), Tally(metrics))
    await owners.assign([0], 1)
    yield owners, metrics
    await owners.close()
    await owners.stop()


def record(number: int, events: int) -> bytes:
    lines = [does("page_view", f"v{number}-{n}", path="/", page_kind="home") for n in range(events)]
    return b"\n".join(map(msgspec.json.encode, lines))


async def read(
    settings: Settings, owners: Owners, bodies: list[bytes], apart_s: float = 0.1
) -> None:
    """Read records as fast as they can be folded; nothing else of the loop has its turn."""
    reader = Reader(cast("Any", None), settings, owners)
    for offset, body in enumerate(bodies):
        at_s = now_ms() / 1000 + offset * apart_s  # so that events settle, and rows come
        await reader.take(Message(0, offset, at_s, body))
    await owners.by_number[0].flush()


def transactions(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value(f"{TRANSACTION}_count")


async def test_many_small_records_share_a_transaction(
    settings: Settings, owned: tuple[Owners, Metrics]
) -> None:
    """Read at once, a group is stored when it is full, and what is left with the flush."""
    owners, metrics = owned
    await read(settings, owners, [record(number, 1) for number in range(group.EVENTS + 500)])
    assert owners.by_number[0].last == group.EVENTS + 499
    assert transactions(metrics) == 2


async def test_large_records_stay_within_the_bound_and_a_greater_one_goes_alone(
    settings: Settings, owned: tuple[Owners, Metrics]
) -> None:
    owners, metrics = owned
    large = group.EVENTS // 3
    bodies = [record(number, large) for number in range(5)]
    bodies.insert(4, record(99, group.EVENTS + 1))
    await read(settings, owners, bodies, apart_s=60)
    assert owners.by_number[0].last == len(bodies) - 1
    assert transactions(metrics) == 4, "three, one, the greater one, one"


async def test_the_loop_turns_while_records_lie_ready(
    settings: Settings, owned: tuple[Owners, Metrics]
) -> None:
    """Health is asked and other partitions are stored while one catches up."""
    owners, metrics = owned
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    await read(settings, owners, [record(number, 400) for number in range(12)])
    turning.cancel()
    assert turns >= 12
    assert transactions(metrics)


async def test_the_loop_turns_while_very_many_shoppers_leave_at_once(
    settings: Settings, owned: tuple[Owners, Metrics]
) -> None:
    """As after a stall; a worker that did not answer meanwhile would lose its partitions."""
    owners, metrics = owned
    shoppers, turns = 2 * group.EVENTS, 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    await read(settings, owners, [record(number, shoppers // 4) for number in range(4)])
    took = transactions(metrics) or 0
    turning = asyncio.create_task(turn())
    reader, at_s = Reader(cast("Any", None), settings, owners), now_ms() / 1000
    within = []
    for second in range(60):
        before = turns
        await reader.take(Message(0, 4 + second, at_s + second, TICK))
        within.append(turns - before)
    turning.cancel()
    await owners.by_number[0].flush()
    assert max(within) >= group.EVENTS // SLICE
    assert (transactions(metrics) or 0) - took >= 3
    rows = [msgspec.json.decode(one.value) for one in await read_all(settings, "sessions")]
    assert len({row["session_id"] for row in rows if not row["open"]}) == shoppers


def test_bytes_bound_a_group_too() -> None:
    one = Group()
    one.add(b"x" * (group.BYTES - 10))
    assert one.fits(b"x" * 10)
    assert not one.fits(b"x" * 11)
    assert Group().fits(b"x" * (group.BYTES + 1))


async def test_look_ups_wait_until_what_was_there_at_the_takeover_is_read_again(
    settings: Settings,
) -> None:
    """What the former owner had folded lies in the log after the meta's applied record."""
    async with street(settings) as here:
        here.ticking = False
        for _ in range(5):
            end = await here.raw(0, TICK)
    owners = Owners(settings, lambda _: RULES, Time(), Tally(Metrics()))
    await owners.assign([0], 1)
    owner = owners.live(0)
    assert owner is not None
    assert owners.asked(0) is None
    assert owners.answering() == []
    for offset in range(end):
        owner.take(offset, now_ms(), TICK)
    assert owners.asked(0) is None
    owner.take(end, now_ms(), TICK)
    assert owners.asked(0) is owner
    assert owners.answering() == [owner]
    await owners.close()
    await owners.stop()


async def test_look_ups_do_not_wait_for_ever(settings: Settings) -> None:
    async with street(settings) as here:
        here.ticking = False
        await here.raw(0, TICK)
    owners = Owners(settings, lambda _: RULES, Time(), Tally(Metrics()))
    await owners.assign([0], 1)
    assert owners.asked(0) is None
    owners.by_number[0]._behind_until = 0.0
    assert owners.asked(0) is not None
    await owners.close()
    await owners.stop()
