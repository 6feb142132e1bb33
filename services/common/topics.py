"""The topics: one table of what each is.

``topics_made`` makes them by it, ``topics_checked`` holds those that are there to it.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from schemas.spans import HOUR_MS
from services.common.errors import InvalidError
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
