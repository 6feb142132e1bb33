"""A real broker for tests, and what is on its topics.

Every test has topics of its own (``kafka_settings`` gives a prefix that no other test has), so one
broker serves a whole run.
"""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from deploy.kafka.broker import Broker, cluster, make_nodes
from deploy.kafka.libs import MissingError, libraries
from services.common.kafka import client_options
from services.common.settings import Settings, load
from services.common.topics import Name, topic_name, topics

HEAP = "512m"
PARTITIONS = 4


def require_kafka() -> None:
    """Skip, or fail where a Kafka is demanded, if this machine cannot run one."""
    try:
        libraries()
    except MissingError as error:
        if os.environ.get("WAYMARK_REQUIRE_KAFKA") == "1":
            raise
        pytest.skip(str(error))


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Broker]:
    """Run one node in a folder for a block; options are the broker's."""
    require_kafka()
    broker = Broker(make_nodes(folder, 1)[0], heap=HEAP, **options)
    with cluster([broker]):
        yield broker


def settings_for(bootstrap: str, **more: Any) -> Settings:
    """Return settings with a prefix, hence topics and groups, of their own; few partitions."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    given = {
        "kafka": bootstrap,
        "kafka_prefix": prefix,
        "kafka_partitions": PARTITIONS,
    }
    return load(environ={}, overrides=given | more)


async def read_all(
    settings: Settings, name: Name, partitions: Sequence[int] | None = None
) -> list[ConsumerRecord]:
    """Return a topic's committed records up to its present end: by partition, then offset."""
    reader = AIOKafkaConsumer(
        **client_options(settings),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await reader.start()
    try:
        topic = topic_name(settings, name)
        every = range(topics(settings)[name].partitions)
        chosen = [TopicPartition(topic, n) for n in (every if partitions is None else partitions)]
        reader.assign(chosen)
        ends = await reader.end_offsets(chosen)
        await reader.seek_to_beginning(*chosen)
        records: list[ConsumerRecord] = []
        while any([await reader.position(one) < ends[one] for one in chosen]):
            for some in (await reader.getmany(timeout_ms=200)).values():
                records += some
        return sorted(records, key=lambda one: (one.partition, one.offset))
    finally:
        await reader.stop()


async def expel(settings: Settings, group: str) -> None:
    """Have a group let go of its members, all of them dead: it would by itself, seconds later."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        broker = await admin.find_coordinator(group)
        (answer,) = await admin.describe_consumer_groups([group], broker)
        for member in (member for one in answer.groups for member in one[5]):
            leave = LeaveGroupRequest(group, member[0])
            left = await admin._send_request(leave, broker)
            assert left.error_code == 0, left
    finally:
        await admin.close()
