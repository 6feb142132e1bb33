"""Which topic's records become rows of which table."""

from collections.abc import Sequence
from typing import Final

from aiokafka import ConsumerRecord

from services.common.ports import LogRecord
from services.common.settings import Settings
from services.common.topics import TOPIC_OF_TABLE, topic_name

EVENTS: Final = "events"


def tables_by_topic(settings: Settings) -> dict[str, str]:
    """Return every topic that the loader reads, with its table."""
    outputs = {topic_name(settings, topic): table for table, topic in TOPIC_OF_TABLE.items()}
    return {topic_name(settings, EVENTS): EVENTS, **outputs}


def row_of(record: ConsumerRecord) -> Sequence[bytes]:
    """Return the row that a record of an output topic is, as one line.

    (A line break in it would make two of it.) A record without a value, which only a foreign
    producer sends, has none.
    """
    value: bytes | None = record.value
    return (value.replace(b"\n", b" "),) if value else ()


def log_record(record: ConsumerRecord) -> LogRecord:
    """Return a record of the events as the log has it."""
    return LogRecord(record.offset, record.timestamp, record.value or b"")
