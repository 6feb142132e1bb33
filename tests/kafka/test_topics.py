"""The topics at start: made where missing, checked where they are, and what a wrong one tells."""

import asyncio
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_checked import wrong_topics
from services.common.topics_made import ensure_topics
from tests.support.kafka import settings_for
from tests.support.process import free_port

LOGIN = {"kafka_username": "shop", "kafka_password": "s3cr3t"}


def changed(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update=more)


async def make(settings: Settings, name: str, partitions: int, **configs: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    named = {key.replace("_", "."): value for key, value in configs.items()}
    answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=named)])
    await admin.close()
    assert [error[1] for error in answer.topic_errors] == [0]


async def refusal(settings: Settings) -> str:
    with pytest.raises(InvalidError) as refused:
        await ensure_topics(settings)
    return str(refused.value)


async def test_all_topics_are_made_once_however_many_parts_start(kafka_settings: Settings) -> None:
    await asyncio.gather(*[ensure_topics(kafka_settings) for _ in range(4)])
    admin = AIOKafkaAdminClient(**client_options(kafka_settings))
    await admin.start()
    found = await admin.describe_topics()
    await admin.close()
    sizes = {row["topic"]: len(row["partitions"]) for row in found}
    mine = {
        name: size
        for name, size in sizes.items()
        if name.startswith(f"{kafka_settings.kafka_prefix}.")
    }
    many = ("events", "sessions", "carts", "signals", "orders", "flags", "dead-letters", "states")
    wanted = dict.fromkeys(many, 4) | {"owners": 1, "catalog": 1}
    assert mine == {f"{kafka_settings.kafka_prefix}.{name}": size for name, size in wanted.items()}


async def test_another_number_of_partitions_is_named_with_the_way_out(
    kafka_settings: Settings,
) -> None:
    await ensure_topics(kafka_settings, ["events"])
    told = await refusal(changed(kafka_settings, kafka_partitions=8))
    assert f"{kafka_settings.kafka_prefix}.events: partitions = 4, wanted 8" in told
    assert "WAYMARK_KAFKA_PARTITIONS=4" in told


async def test_a_topic_stamped_by_its_clients_is_refused_with_the_command(
    kafka_settings: Settings,
) -> None:
    name = topic_name(kafka_settings, "events")
    await make(kafka_settings, name, 4)
    told = await refusal(kafka_settings)
    assert f"{name}: message.timestamp.type = CreateTime, wanted LogAppendTime" in told
    assert "kafka-configs.sh" in told
    assert f"--entity-name {name} --add-config message.timestamp.type=LogAppendTime" in told


async def test_a_changelog_that_deletes_is_refused(kafka_settings: Settings) -> None:
    await make(kafka_settings, topic_name(kafka_settings, "states"), 4, cleanup_policy="delete")
    assert "states: cleanup.policy = delete, wanted compact" in await refusal(kafka_settings)


async def test_a_shorter_retention_is_refused_and_a_longer_one_is_taken(
    kafka_settings: Settings,
) -> None:
    await ensure_topics(kafka_settings, ["events"])
    hours = kafka_settings.kafka_keep_hours
    await ensure_topics(changed(kafka_settings, kafka_keep_hours=hours - 1), ["events"])
    told = await refusal(changed(kafka_settings, kafka_keep_hours=hours + 1))
    assert "retention.ms = 604800000, wanted at least 608400000" in told


async def test_too_few_copies_are_refused(kafka_settings: Settings) -> None:
    await ensure_topics(kafka_settings, ["events"])
    told = await refusal(changed(kafka_settings, kafka_replication=2))
    assert "replication = 1, wanted at least 2" in told


async def test_more_copies_in_sync_than_copies_is_a_wrong_setting(kafka_settings: Settings) -> None:
    told = await refusal(changed(kafka_settings, kafka_min_insync=2))
    assert "WAYMARK_KAFKA_MIN_INSYNC = 2 is more than WAYMARK_KAFKA_REPLICATION = 1" in told


async def test_more_copies_than_brokers_cannot_be_made(kafka_settings: Settings) -> None:
    settings = changed(kafka_settings, kafka_replication=3)
    with pytest.raises(UnavailableError) as refused:
        await ensure_topics(settings, patience_s=0.5)
    told = str(refused.value)
    assert "WAYMARK_KAFKA_REPLICATION = 3 copies, and 1 of the brokers live" in told


async def test_what_is_wrong_with_many_topics_is_said_once(kafka_settings: Settings) -> None:
    await ensure_topics(kafka_settings)
    (told,) = await wrong_topics(changed(kafka_settings, kafka_partitions=8))
    assert told.count("wanted 8") == 1
    assert f"topic {kafka_settings.kafka_prefix}.events, " in told
    assert f" {kafka_settings.kafka_prefix}.states: partitions = 4" in told


async def test_a_port_of_another_kind_is_told_with_the_setting(kafka_settings: Settings) -> None:
    for kind, more in {"ssl": {}, "sasl_plaintext": LOGIN}.items():
        settings = changed(kafka_settings, kafka_security=kind, **more)
        with pytest.raises(UnavailableError) as refused:
            await ensure_topics(settings, patience_s=0.5)
        assert f"WAYMARK_KAFKA_SECURITY = '{kind}': does this port take" in str(refused.value)


async def test_a_broker_that_is_not_there_is_named() -> None:
    settings = settings_for(f"127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError, match=f"Kafka at {settings.kafka} does not answer"):
        await ensure_topics(settings, patience_s=0.5)
