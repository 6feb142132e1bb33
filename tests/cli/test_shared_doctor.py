"""``waymark doctor`` on Kafka, where something is missing: named, with what to do, and not made."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.common.kafka import client_options, loader_group
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics
from services.loader.warehouse import migrate_server
from tests.support.clickhouse_http import ClickHouseProcess
from tests.support.commands import Commands
from tests.support.process import free_port

PASSWORD = "do-not-show-me"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    made = ClickHouseProcess(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


def wrong(commands: Commands, settings: Settings, **more: str) -> dict[str, Any]:
    """Return the wrong findings, by name."""
    environ = {
        "WAYMARK_KAFKA": settings.kafka,
        "WAYMARK_KAFKA_PREFIX": settings.kafka_prefix,
        "WAYMARK_KAFKA_PARTITIONS": str(settings.kafka_partitions),
        **more,
    }
    done = commands.run("doctor", "--json", **environ)
    assert done.status == 1, (done.out, done.err)
    report = done.json()
    assert report["well"] is False
    assert PASSWORD not in done.out
    return {one["name"]: one for one in report["checks"] if one["verdict"] == "wrong"}


async def names(settings: Settings) -> set[str]:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def make(settings: Settings, partitions: int) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic_name(settings, "events"), partitions, 1)])
    finally:
        await admin.close()


def test_brokers_and_storage_that_do_not_answer_are_named(
    commands: Commands, kafka_settings: Settings
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    found = wrong(
        commands,
        kafka_settings,
        WAYMARK_KAFKA=nobody,
        WAYMARK_CLICKHOUSE=f"http://waymark:{PASSWORD}@{nobody}/waymark",
        WAYMARK_KAFKA_USERNAME="waymark",
        WAYMARK_KAFKA_PASSWORD=PASSWORD,
    )
    assert list(found) == ["brokers", "storage"]
    assert f"Kafka at {nobody} does not answer" in found["brokers"]["message"]


async def test_topics_that_are_missing_or_other_are_named_and_none_is_made(
    commands: Commands, kafka_settings: Settings
) -> None:
    before = await names(kafka_settings)
    await make(kafka_settings, kafka_settings.kafka_partitions + 1)
    found = await asyncio.to_thread(wrong, commands, kafka_settings)
    assert list(found) == ["topics", "storage"]
    message = found["topics"]["message"]
    assert f"{kafka_settings.kafka_prefix}.catalog" in message
    assert f"partitions = {kafka_settings.kafka_partitions + 1}" in message
    assert await names(kafka_settings) - before == {topic_name(kafka_settings, "events")}


async def test_no_worker_no_ingest_and_no_tables_are_named(
    commands: Commands, kafka_settings: Settings, server: ClickHouseProcess
) -> None:
    await ensure_topics(kafka_settings)
    storage = f"{server.url}/{kafka_settings.kafka_prefix}"
    migrated = kafka_settings.model_copy(update={"clickhouse": f"{storage}_there"})
    await asyncio.to_thread(migrate_server, migrated)
    found = await asyncio.to_thread(
        wrong, commands, kafka_settings, WAYMARK_CLICKHOUSE=migrated.clickhouse
    )
    assert list(found) == ["keys", "members", "partitions"]
    assert found["members"]["message"] == "sessionizer: 0 members, loader: 0 members"
    assert found["members"]["do"] == "start waymark sessionizer and waymark loader"
    assert "no ingest has run" in found["keys"]["message"]
    assert found["partitions"]["facts"]["missing"] == list(range(kafka_settings.kafka_partitions))
    loader = AIOKafkaConsumer(
        topic_name(kafka_settings, "events"),
        **client_options(kafka_settings),
        group_id=loader_group(kafka_settings),
    )
    await loader.start()
    empty = await asyncio.to_thread(wrong, commands, kafka_settings, WAYMARK_CLICKHOUSE=storage)
    await loader.stop()
    assert "storage" in empty
    assert empty["members"]["facts"] == {"members": {"sessionizer": 0, "loader": 1}}
    assert empty["members"]["do"] == "start waymark sessionizer"
