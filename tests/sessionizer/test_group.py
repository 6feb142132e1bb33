"""How much one transaction holds: enough to be worth it, and never more than its bounds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics import ensure_topics
from services.sessionizer import group
from services.sessionizer.app import Reader
from services.sessionizer.core.policy import Time
from services.sessionizer.group import Group
from services.sessionizer.owners import Owners
from services.sessionizer.tally import Tally
from tests.sessionizer.street import TICK, does, now_ms, street
from tests.sessionizer.told import RULES


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


async def read(settings: Settings, owners: Owners, bodies: list[bytes]) -> None:
    """Read records as fast as they can be folded; nothing else of the loop has its turn."""
    reader = Reader(cast("Any", None), settings, owners)
    for offset, body in enumerate(bodies):
        at_s = now_ms() / 1000 + offset / 10  # so that events settle, and rows come
        await reader.take(Message(0, offset, at_s, body))
    await owners.by_number[0].flush()


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
    stored = "waymark_sessionizer_transaction_seconds_count"
    assert metrics.registry.get_sample_value(stored)


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
