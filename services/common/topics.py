"""The topics: one table of what each is, made where missing and checked at every start.

A topic that differs in what the fold relies on stops the start: a wrong number of partitions would
send visitors elsewhere, a client's timestamps would move the log's clock, and deletion of a
compacted topic would lose state. What an operator may choose freely is checked as "at least".
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from msgspec import Struct

from schemas.spans import HOUR_MS
from services.common.errors import InvalidError, UnavailableError
from services.common.kafka import client_options, why
from services.common.settings import Settings

Name = Literal[
    "events",
    "sessions",
    "carts",
    "signals",
    "orders",
    "flags",
    "dead-letters",
    "states",
    "owners",
    "catalog",
]
"""The topics, without the prefix."""

TOPIC_OF_TABLE: Mapping[str, Name] = {
    "sessions": "sessions",
    "carts": "carts",
    "signals": "signals",
    "orders": "orders",
    "event_flags": "flags",
    "dead_letters": "dead-letters",
}
"""Which topic carries the rows of a table."""

MIB = 1024 * 1024
MAX_RECORD_BYTES = MIB
"""Greatest record batch a topic takes: what every client and broker has as its default."""
MAX_LETTER_BYTES = 4 * MIB
"""The same of dead letters: half a MiB of control characters is six times as long in JSON."""
SEGMENT_MS = HOUR_MS // 6
"""How long a followed topic writes into one segment; only a closed one is compacted."""
PATIENCE_S = 30.0
"""How long a start waits for brokers that are still starting themselves."""
LEADERS_S = 120.0
"""The same until each new partition has a leader: hundreds take a busy broker its time."""
PAUSE_S = 0.25
REQUEST_MS = 10_000

COMPACT = {"cleanup.policy": "compact"}
STAMPED = {"message.timestamp.type": "LogAppendTime"}
FOLLOWED = {
    # Small segments and no waiting: what was destroyed (a salt, a key) must leave the disks soon.
    "segment.ms": str(SEGMENT_MS),
    "max.compaction.lag.ms": str(SEGMENT_MS),
    "min.cleanable.dirty.ratio": "0.01",
}


_Shape = tuple[int, dict[str, str], dict[str, int], dict[str, str]]
"""Partitions, then what is fixed, what is at least, and what it is made with."""


class Topic(Struct, frozen=True):
    """One topic as it should be. ``fixed`` must be so, ``at_least`` may be greater, or -1.

    ``made_with`` only counts when we make the topic: what an operator may change at will.
    """

    name: str
    partitions: int
    replication: int
    fixed: dict[str, str]
    at_least: dict[str, int]
    made_with: dict[str, str]

    def configs(self) -> dict[str, str]:
        """Return all that the topic is made with."""
        least = {name: str(value) for name, value in self.at_least.items()}
        return self.made_with | least | self.fixed


class WrongTopicError(InvalidError):
    """A topic differs from what it should be; ``fault`` says how and what to do."""

    def __init__(self, name: str, fault: str) -> None:
        """Say it of the topic of this name."""
        super().__init__(f"topic {name}: {fault}")
        self.fault = fault


def topic_name(settings: Settings, name: Name) -> str:
    """Return a topic's full name."""
    return f"{settings.kafka_prefix}.{name}"


def topics(settings: Settings) -> dict[Name, Topic]:
    """Return every topic as the settings want it.

    Raises ``InvalidError`` where they want more copies in sync than there are.
    """
    if settings.kafka_min_insync > settings.kafka_replication:
        raise InvalidError(
            f"WAYMARK_KAFKA_MIN_INSYNC = {settings.kafka_min_insync} is more than "
            f"WAYMARK_KAFKA_REPLICATION = {settings.kafka_replication}: nothing could be written"
        )
    log = {"cleanup.policy": "delete", **STAMPED}
    keep = {"retention.ms": settings.kafka_keep_hours * HOUR_MS}
    many = settings.kafka_partitions
    state = {"segment.bytes": str(64 * MIB), "min.cleanable.dirty.ratio": "0.1"}
    rows: tuple[Name, ...] = ("sessions", "carts", "signals", "orders", "flags", "dead-letters")
    shapes: dict[Name, _Shape] = {
        "events": (many, log, keep, {}),
        **{name: (many, log, keep, {}) for name in rows},
        "states": (many, COMPACT, {}, state),
        "owners": (1, COMPACT, {}, FOLLOWED),
        # Stamped by the brokers: a keeper with a wrong clock must not destroy salts by it.
        "catalog": (1, COMPACT | STAMPED, {}, FOLLOWED),
    }
    return {name: _topic(settings, name, shape) for name, shape in shapes.items()}


def _topic(settings: Settings, name: Name, shape: _Shape) -> Topic:
    partitions, fixed, at_least, made_with = shape
    return Topic(
        name=topic_name(settings, name),
        partitions=partitions,
        replication=settings.kafka_replication,
        fixed=fixed,
        at_least={
            "min.insync.replicas": settings.kafka_min_insync,
            "max.message.bytes": MAX_LETTER_BYTES if name == "dead-letters" else MAX_RECORD_BYTES,
            **at_least,
        },
        made_with=made_with,
    )


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
        except (KafkaError, OSError) as error:
            if time.monotonic() > until:
                raise UnavailableError(
                    f"Kafka at {settings.kafka} does not answer: {why(settings, error)}"
                ) from error
        await asyncio.sleep(PAUSE_S)


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
                await _check_all(admin, [topic], settings, time.monotonic())
            except WrongTopicError as error:
                faults.setdefault(error.fault, []).append(topic.name)
            except InvalidError as error:
                found.append(str(error))
    finally:
        await admin.close()
    return found + [f"topic {', '.join(names)}: {fault}" for fault, names in faults.items()]


async def _ensure(settings: Settings, wanted: list[Topic], until: float) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=REQUEST_MS)
    try:
        await admin.start()
        there = set(await admin.list_topics())
        old = [topic for topic in wanted if topic.name in there]
        new = [topic for topic in wanted if topic.name not in there]
        # What is wrong is told before anything is made beside it.
        await _check_all(admin, old, settings, until)
        await _make(admin, new)
        await _check_all(admin, new, settings, until)
    finally:
        await admin.close()
    if new:
        await _await_leaders(settings, new)


async def _await_leaders(settings: Settings, made: list[Topic]) -> None:
    """Wait until the brokers serve what they have just made; metadata alone shows it too early."""
    every = [TopicPartition(one.name, n) for one in made for n in range(one.partitions)]
    reader = AIOKafkaConsumer(**client_options(settings), request_timeout_ms=REQUEST_MS)
    await reader.start()
    try:
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
            raise InvalidError(
                f"topic {name} cannot be made: WAYMARK_KAFKA_REPLICATION = {missing[0].replication}"
                f" copies, and {up} of the brokers live: bring more up, or set it to {up} or less"
            )
        # Several parts start at the same time, and one of them is the first.
        if code and error is not TopicAlreadyExistsError:
            raise InvalidError(f"topic {name} cannot be made: {error.__name__} {message}")


async def _check_all(
    admin: AIOKafkaAdminClient, wanted: list[Topic], settings: Settings, until: float
) -> None:
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
            if for_code(code) is UnknownTopicOrPartitionError:
                # Made a moment ago, and not yet known to this one of the brokers: ask again.
                raise UnknownTopicOrPartitionError(f"topic {name}")
            if code:
                raise InvalidError(f"topic {name} cannot be looked at: {message or for_code(code)}")
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
