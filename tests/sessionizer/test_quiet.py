"""A quiet system, a standstill of ingest, and a state that does not fit."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from schemas.rows import SignalRow
from services.common.kafka import client_options
from services.common.policy_file import parse_policy
from services.common.ports import PartitionMeta
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.sessionizer.core.policy import Policy, SourceRules
from services.sessionizer.effects import META_KEY
from tests.sessionizer.street import TEA, TICK, does, now_ms, street
from tests.sessionizer.told import RULES, eventually, exact
from tests.sessionizer.workers import FENCED, POLICY, crew
from tests.support.commands import Commands
from tests.support.kafka import read_all

OUTAGE = (
    POLICY.replace("stall_ms = 20_000", "stall_ms = 2_000")
    .replace("hold_min_ms = 1_000", "hold_min_ms = 6_000")
    .replace("hold_max_ms = 2_000", "hold_max_ms = 6_000")
)
"""An outage of some seconds is one, and what comes after it is waited for a little."""


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    return kafka_settings.model_copy(update={"kafka_partitions": 2})


async def signals(settings: Settings, kind: str) -> list[tuple[SignalRow, int]]:
    """Return the signals of a kind with the broker's time of their record."""
    records = await read_all(settings, "signals")
    found = [(msgspec.json.decode(one.value, type=SignalRow), one.timestamp) for one in records]
    return [(row, at) for row, at in found if row.kind == kind]


async def test_a_deadline_is_told_within_two_seconds_though_nobody_comes(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    time = RULES.policy.time
    async with street(settings) as here:
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            for number in range(5):
                await here.send(does("cart_add", f"q{number}", products=[TEA]))
            found = await eventually(
                lambda: _at_least(settings, "cart_abandoned", 5), "five carts were left"
            )
            late = sorted(at - (row.at_ms + time.grace_ms) for row, at in found)
            assert late[0] >= 0
            assert late[len(late) // 2] <= 2_000, late
            assert await asyncio.to_thread(worker.status, "/healthz") == 200


async def _at_least(settings: Settings, kind: str, count: int) -> list[tuple[SignalRow, int]]:
    found = await signals(settings, kind)
    return found if len(found) >= count else []


async def test_nobody_is_declared_gone_for_an_outage_of_ingest(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    """Meanwhile there is no time, and afterwards what waited in a client's queue is waited for."""
    with crew(commands, settings, tmp_path) as hands:
        policy = tmp_path / "outage.toml"
        policy.write_text(OUTAGE)
        async with street(settings) as here:
            worker = hands.hire(policy=policy)
            await asyncio.to_thread(worker.wait_ready)
            added = [does("cart_add", who, products=[TEA]) for who in ("queued", "gone")]
            await here.send(*added)
            here.ticking = False
            await asyncio.sleep(4.5)  # longer than the idle time and the grace: no record, no time
            assert await signals(settings, "cart_abandoned") == []
            here.ticking = True
            await here.raw(here.home("queued"), TICK)  # absence would be decided here
            order = {"order_id": "o1", "value": 1_000, "currency": "USD"}
            await here.send(does("purchase", "queued", ts_ms=added[0].ts_ms + 2_000, **order))
            rules = SourceRules(policy=parse_policy(OUTAGE, "the outage's policy", Policy()))
            await exact(settings, here.sent, rules=rules)
    left = [row.visitor_id for row, _ in await signals(settings, "cart_abandoned")]
    assert left == ["gone"]


async def test_a_backlog_of_hours_is_read_as_if_it_had_been_read_live(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    async with street(settings) as here:
        start = now_ms() - 3 * 3_600_000
        for place in range(200):
            at = start + place * 40
            await here.send(
                does("page_view", f"b{place % 9}", ts_ms=at, path="/", page_kind="home"),
                does("cart_add", f"b{place % 9}", ts_ms=at + 1, products=[TEA]),
            )
        with crew(commands, settings, tmp_path) as hands:
            worker = hands.hire()
            await asyncio.to_thread(worker.wait_ready)
            await exact(settings, here.sent)


async def test_states_of_another_number_of_partitions_are_refused(
    commands: Commands, settings: Settings, tmp_path: Path
) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(**client_options(settings))
    await producer.start()
    meta = msgspec.msgpack.encode(PartitionMeta(5, 6, 7, 8, partitions=64))
    await producer.send_and_wait(topic_name(settings, "states"), meta, META_KEY, partition=1)
    await producer.stop()
    with crew(commands, settings, tmp_path) as hands:
        worker = hands.hire()
        assert await asyncio.to_thread(worker.wait) == FENCED
        assert "was written for 64 partitions" in worker.text()
