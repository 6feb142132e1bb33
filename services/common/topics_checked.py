"""Holds the topics that are there to what each should be.

A topic that differs in what the fold relies on stops the start: a wrong number of partitions would
send visitors elsewhere, a client's timestamps would move the log's clock, and deletion of a
compacted topic would lose state. What an operator may choose freely is checked as "at least".
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import Topic, topics

PAUSE_S = 0.25


class WrongTopicError(InvalidError):
    """A topic differs from what it should be; ``fault`` says how and what to do."""

    def __init__(self, name: str, fault: str) -> None:
        """Say it of the topic of this name."""
        super().__init__(f"topic {name}: {fault}")
        self.fault = fault


async def wrong_topics(settings: Settings) -> list[str]:
    """Return what is wrong with the topics, a sentence each; makes none and waits for nobody.

    Raises what aiokafka raises where the brokers do not answer.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    found: list[str] = []
    faults: dict[str, list[str]] = {}
    wanted = topics(settings).values()
    try:
        await admin.start()
        there = set(await admin.list_topics())
        missing = [topic.name for topic in wanted if topic.name not in there]
        if missing:
            found.append(f"there is no topic {', '.join(missing)}: ingest makes them at its start")
        for topic in [one for one in wanted if one.name in there]:
            try:
                await check_all(admin, [topic], settings, time.monotonic())
            except WrongTopicError as error:
                faults.setdefault(error.fault, []).append(topic.name)
            except InvalidError as error:
                found.append(str(error))
    finally:
        await admin.close()
    return found + [f"topic {', '.join(names)}: {fault}" for fault, names in faults.items()]


async def check_all(
    admin: AIOKafkaAdminClient, wanted: list[Topic], settings: Settings, until: float
) -> None:
    """Hold topics to what they should be; raises ``WrongTopicError`` for the first that differs.

    Waits for one that was made a moment ago until the monotonic time given.
    """
    if not wanted:
        return
    found = await _described(admin, wanted, until)
    configs = await _configs(admin, wanted)
    for topic in wanted:
        _check(topic, found[topic.name], configs[topic.name], settings)


async def _described(
    admin: AIOKafkaAdminClient, wanted: list[Topic], until: float
) -> dict[str, list[dict[str, Any]]]:
    """Return each topic's partitions; a new topic takes a moment to be known everywhere."""
    names = [topic.name for topic in wanted]
    while True:
        found = {row["topic"]: row for row in await admin.describe_topics(names)}
        missing = [name for name in names if not found.get(name, {}).get("partitions")]
        if not missing:
            return {name: row["partitions"] for name, row in found.items()}
        if time.monotonic() > until:
            raise UnavailableError(f"Kafka does not show its topics {', '.join(missing)}")
        await asyncio.sleep(PAUSE_S)


async def _configs(admin: AIOKafkaAdminClient, wanted: list[Topic]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in wanted]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            error = for_code(code)
            if error.retriable:
                # Made a moment ago, and not yet known to this one of the brokers: ask again.
                raise error(f"topic {name}")
            if code:
                raise InvalidError(f"topic {name} cannot be looked at: {message or error}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _check(
    topic: Topic, partitions: list[dict[str, Any]], configs: dict[str, str], settings: Settings
) -> None:
    server = settings.kafka.split(",")[0].strip()
    if len(partitions) != topic.partitions:
        raise WrongTopicError(
            topic.name,
            f"partitions = {len(partitions)}, wanted {topic.partitions}. They "
            f"cannot be changed later: set WAYMARK_KAFKA_PARTITIONS={len(partitions)}, or set "
            "another WAYMARK_KAFKA_PREFIX and rebuild into new topics",
        )
    replication = min(len(one["replicas"]) for one in partitions)
    if replication < topic.replication:
        raise WrongTopicError(
            topic.name,
            f"replication = {replication}, wanted at least "
            f"{topic.replication}. Run kafka-reassign-partitions.sh --bootstrap-server {server} "
            f"with more replicas, or set WAYMARK_KAFKA_REPLICATION={replication}",
        )
    for name, value, rule in _wrong(topic, configs):
        raise WrongTopicError(
            topic.name,
            f"{name} = {configs.get(name)}, wanted {rule}{value}. Run "
            f"kafka-configs.sh --bootstrap-server {server} --alter --entity-type topics "
            f"--entity-name {topic.name} --add-config {name}={value}",
        )


def _wrong(topic: Topic, configs: dict[str, str]) -> Iterable[tuple[str, str, str]]:
    for name, value in topic.fixed.items():
        if configs.get(name) != value:
            yield name, value, ""
    for name, least in topic.at_least.items():
        found = int(configs.get(name, "0"))
        if 0 <= found < least:
            yield name, str(least), "at least "
