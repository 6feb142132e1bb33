"""A whole installation without its threads, on the test process's one embedded engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from services.common.clickhouse import open_storage
from services.common.ports import Storage
from services.common.settings import load
from services.standalone.parts import Parts, open_parts
from tests.support.clock import ManualClock

TOLD_ONLY_WHEN = ("version", "emitted_ms")


@contextmanager
def installation(folder: Path, dsn: str, database: str, clock: ManualClock) -> Iterator[Parts]:
    def fatal(error: BaseException) -> None:
        raise error

    folder.mkdir()
    settings = load({}, overrides={"data": folder})
    storage = open_storage(dsn, database)
    with open_parts(settings, fatal, clock, storage) as parts:
        parts.catalog.first_start()
        yield parts
    storage.close()


def rows(storage: Storage, table: str) -> list[dict[str, Any]]:
    """Return a table's rows in a fixed order, without what says only when they were stated."""
    found = storage.query(f"SELECT * FROM {table} FINAL")
    plain = [{k: v for k, v in row.items() if k not in TOLD_ONLY_WHEN} for row in found]
    return sorted(plain, key=lambda row: msgspec.json.encode(row, order="sorted"))
