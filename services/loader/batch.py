"""One batch on its way into storage: rows by table, and the stretches of the log they came from."""

import hashlib
from collections.abc import Iterable, Sequence

from aiokafka import TopicPartition
from msgspec import Struct, field

from services.common.ports import LogRecord
from services.loader.event_columns import EventRows
from services.loader.topics import EVENTS

PLAIN = 200
"""A token longer than this (many stretches) is told by its hash."""


class Batch(Struct):
    """What one insert a table holds, and the offsets that hold once storage has it.

    ``ranges``: by topic and partition the first and last offset taken, records without rows too.
    ``places``: where reading goes on once storage has the batch. ``lists`` and ``events`` are what
    ``tables`` shows, while it grows.
    """

    tables: dict[str, Sequence[bytes]] = field(default_factory=dict)
    ranges: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    records: int = 0
    rows: int = 0
    size: int = 0
    places: dict[TopicPartition, int] = field(default_factory=dict)
    lists: dict[str, list[bytes]] = field(default_factory=dict)
    events: EventRows = field(default_factory=EventRows)

    def add(self, where: TopicPartition, offset: int, table: str, lines: Iterable[bytes]) -> None:
        """Take the rows of one record; records of a partition come in order."""
        self._reach(where, offset)
        fresh = list(lines)
        if fresh:
            kept = self.lists.setdefault(table, [])
            kept.extend(fresh)
            self.tables[table] = kept
            self.rows += len(fresh)
            self.size += sum(map(len, fresh))

    def add_events(self, where: TopicPartition, record: LogRecord) -> None:
        """Take a record of events; records of a partition come in order."""
        self._reach(where, record.offset)
        count, size = len(self.events), self.events.size
        self.events.add(record)
        if self.events:
            self.tables[EVENTS] = self.events
            self.rows += len(self.events) - count
            self.size += self.events.size - size

    def _reach(self, where: TopicPartition, offset: int) -> None:
        first, _ = self.ranges.get(where, (offset, offset))
        self.ranges[where] = (first, offset)
        self.places[where] = offset + 1
        self.records += 1

    @property
    def token(self) -> str:
        """Name the contents: the same stretches of the log always make the same token."""
        parts = sorted(
            f"{where.topic}-{where.partition}-{first}-{last}"
            for where, (first, last) in self.ranges.items()
        )
        text = ",".join(parts)
        return text if len(text) <= PLAIN else hashlib.sha256(text.encode()).hexdigest()
