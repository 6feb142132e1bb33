"""Rows of the log's records, as the loader makes them."""

from services.common.ports import LogRecord
from services.loader.event_columns import EventRows


def rows_of_record(record: LogRecord) -> EventRows:
    """Return the rows of one record's events."""
    rows = EventRows()
    rows.add(record)
    return rows
