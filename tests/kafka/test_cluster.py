"""Three brokers, two copies that must have a write: one of them dies under load."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.kafka.broker import Broker, cluster, make_nodes
from services.common.topics_made import ensure_topics
from services.ingest.kafka_publisher import KafkaPublisher
from tests.support.kafka import read_all, require_kafka, settings_for
from tests.support.kafka_load import Load, Send, assert_nothing_lost, outgoing

WAIT = 120.0
HEAP_OF_THREE = "320m"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Broker]]:
    """Return three brokers; each test leaves all of them running."""
    require_kafka()
    nodes = make_nodes(tmp_path_factory.mktemp("three"), 3)
    quick: dict[str, Any] = {
        "broker_session_timeout_ms": "3000",
        "broker_heartbeat_interval_ms": "500",
        "replica_lag_time_max_ms": "3000",
    }
    with cluster([Broker(node, nodes, heap=HEAP_OF_THREE, **quick) for node in nodes]) as brokers:
        yield brokers
        for broker in brokers:  # in good order the last would wait a minute for the others
            broker.kill()


def sending(publisher: KafkaPublisher) -> Send:
    async def send(visitor: str, number: int) -> None:
        await publisher.publish([outgoing(visitor, number)])

    return send


@asynccontextmanager
async def loaded(brokers: Sequence[Broker], senders: int, **settings: int) -> AsyncIterator[Load]:
    """Publish all the time during a block; nothing acknowledged is lost by its end."""
    addresses = ",".join(broker.address for broker in brokers)
    given = settings_for(addresses, kafka_replication=3, **settings)
    await ensure_topics(given, ["events", "dead-letters"])
    publisher = KafkaPublisher(given)
    await publisher.start()
    load = Load(sending(publisher), senders)
    load.start()
    yield load
    await load.stop()
    await publisher.stop()
    assert_nothing_lost(load, await read_all(given, "events"))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_one_broker_of_three_dies_and_nothing_acknowledged_is_lost(
    three: Sequence[Broker],
) -> None:
    async with loaded(three, 40, kafka_min_insync=2, kafka_partitions=6) as load:
        await asyncio.wait_for(load.more(10), WAIT)
        await asyncio.to_thread(three[0].kill)
        await asyncio.wait_for(load.more(20), WAIT)  # goes on with two, by itself
        await asyncio.to_thread(three[0].start)
        await asyncio.wait_for(load.more(10), WAIT)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_with_fewer_copies_in_sync_than_must_be_nothing_is_acknowledged(
    three: Sequence[Broker],
) -> None:
    async with loaded(three, 10, kafka_min_insync=3, kafka_partitions=3) as load:
        await asyncio.wait_for(load.more(5), WAIT)
        await asyncio.to_thread(three[2].kill)
        await asyncio.wait_for(load.refusals(50), WAIT)
        await asyncio.to_thread(three[2].start)
        await asyncio.wait_for(load.more(5), WAIT)
