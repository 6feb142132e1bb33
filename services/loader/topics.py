"""Which topic's records become rows of which table."""

from collections.abc import Iterable, Sequence
from typing import Final

from aiokafka import ConsumerRecord

from services.common.ports import LogRecord
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name
from services.loader.event_rows import rows_of_record

EVENTS: Final = "events"


def tables_by_topic(settings: Settings) -> dict[str, str]:
    """Return every topic that the loader reads, with its table."""
    outputs = {topic_name(settings, topic): table for table, topic in TOPIC_OF_TABLE.items()}
    return {topic_name(settings, EVENTS): EVENTS, **outputs}


def rows_of(table: str, record: ConsumerRecord) -> Iterable[bytes]:
    """Return a record's rows: its events, or the one row that it is.

    A record without a value (which only a foreign producer sends) has none.
    """
    value: bytes | None = record.value
    if not value:
        return ()
    if table == EVENTS:
        return rows_of_record(LogRecord(record.offset, record.timestamp, value))
    return _one(value)


def _one(value: bytes) -> Sequence[bytes]:
    """Return a row as one line: a line break in it would make two of it."""
    return (value.replace(b"\n", b" "),)
