"""Makes the topics that are missing, at the start of every part that needs them."""

import asyncio
import time
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options, why
from services.common.settings import Settings
from services.common.topics import Name, Topic, topics
from services.common.topics_checked import check_all

PATIENCE_S = 30.0
"""How long a start waits for brokers that are still starting themselves."""
LEADERS_S = 120.0
"""The same until each new partition has a leader: hundreds take a busy broker its time."""
PAUSE_S = 0.25
REQUEST_MS = 10_000


async def ensure_topics(
    settings: Settings, names: Iterable[Name] | None = None, patience_s: float = PATIENCE_S
) -> None:
    """Make the topics that are missing and check the others; all of them unless named.

    Waits for brokers that do not answer yet. Raises ``UnavailableError`` where they stay away and
    ``InvalidError`` naming topic, property, found, wanted and what to run where one differs.
    """
    wanted = topics(settings)
    chosen = [wanted[name] for name in (wanted if names is None else names)]
    until = time.monotonic() + patience_s
    while True:
        try:
            return await _ensure(settings, chosen, until)
        except UnavailableError:
            if time.monotonic() > until:
                raise
        except (KafkaError, OSError) as error:
            if time.monotonic() > until:
                raise UnavailableError(
                    f"Kafka at {settings.kafka} does not answer: {why(settings, error)}"
                ) from error
        await asyncio.sleep(PAUSE_S)


async def _ensure(settings: Settings, wanted: list[Topic], until: float) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_MS)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        old = [topic for topic in wanted if topic.name in there]
        new = [topic for topic in wanted if topic.name not in there]
        # What is wrong is told before anything is made beside it.
        await check_all(admin, old, settings, until)
        await _make(admin, new)
        await check_all(admin, new, settings, until)
    finally:
        await admin.close()
    if new:
        await _await_leaders(settings, new)


async def _await_leaders(settings: Settings, made: list[Topic]) -> None:
    """Wait until the brokers serve what they have just made; metadata alone shows it too early."""
    every = [TopicPartition(one.name, n) for one in made for n in range(one.partitions)]
    reader = AIOKafkaConsumer(**client_options(settings), request_timeout_ms=REQUEST_MS)
    try:
        await reader.start()
        reader.assign(every)
        until = time.monotonic() + LEADERS_S
        while not await _are_served(reader):
            if time.monotonic() > until:
                raise UnavailableError(
                    f"the topics {settings.kafka_prefix}.* are made, but after {LEADERS_S:.0f} s "
                    f"not each of {len(every)} partitions has a leader: are brokers of Kafka away, "
                    "or busy? Try again: what is made stays"
                )
            await asyncio.sleep(PAUSE_S)
    finally:
        await reader.stop()


async def _are_served(reader: AIOKafkaConsumer) -> bool:
    try:
        await reader.end_offsets(reader.assignment())
    except KafkaError:
        return False
    return True


async def _make(admin: AIOKafkaAdminClient, missing: list[Topic]) -> None:
    if not missing:
        return
    new = [
        NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=topic.configs())
        for topic in missing
    ]
    answer = await admin.create_topics(new)
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if error is InvalidReplicationFactorError:
            up = len((await admin.describe_cluster())["brokers"])
            # Of brokers that start together the first is up alone for a while.
            raise UnavailableError(
                f"topic {name} cannot be made: WAYMARK_KAFKA_REPLICATION = {missing[0].replication}"
                f" copies, and {up} of the brokers live: bring more up, or set it to {up} or less"
            )
        if error.retriable:  # brokers that are busy, or choose who leads them
            raise error(f"topic {name}")
        # Several parts start at the same time, and one of them is the first.
        if code and error is not TopicAlreadyExistsError:
            raise InvalidError(f"topic {name} cannot be made: {error.__name__} {message}")
