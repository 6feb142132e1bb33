"""Rows of storage from one engine to another, month by month, in batches.

Every version of every row goes, deleted ones too: ids and versions make a repeat harmless, so a
portion that a crash cut short is simply copied again. Roll-ups stay behind: where no seal is, what
they sum is read raw until the new store's own chores have sealed it.
"""

import secrets
from collections.abc import Iterable, Iterator

from services.common.ports import Progress as Report
from services.common.ports import Sink, Storage
from services.standalone.outgrow.progress import Progress

TABLES = (
    *("events", "event_flags", "sessions", "carts", "orders", "signals"),
    *("annotations", "dead_letters"),
)
"""What is carried along; whatever else the migrations make is made again from it."""
BATCH_ROWS = 50_000
BATCH_BYTES = 32 << 20
PORTIONS = "SELECT DISTINCT _partition_id AS part FROM {table} ORDER BY part"
COUNT = "SELECT toInt64(count()) AS n FROM {table}"


def copy_rows(source: Storage, target: Sink, progress: Progress, report: Report) -> int:
    """Copy what has not arrived yet; return how many rows went now."""
    totals = {table: _count(source, table) for table in TABLES}
    total, seen, copied = sum(totals.values()), 0, 0
    for table in TABLES:
        for row in source.query(PORTIONS.replace("{table}", table)):
            portion = f"{table}/{row['part']}"
            if portion in progress.done.portions:
                continue
            for batch in _batches(_lines(source, table, row["part"])):
                target.insert(table, batch, secrets.token_hex(8))
                copied += len(batch)
                report(seen + copied, total, table)
            progress.done.portions.add(portion)
            progress.save()
    return copied


def _count(source: Storage, table: str) -> int:
    (row,) = source.query(COUNT.replace("{table}", table))
    return int(row["n"])


def _lines(source: Storage, table: str, part: str) -> Iterator[bytes]:
    sql = f"SELECT * FROM {table} WHERE _partition_id = {{part:String}}"
    return source.stream(sql, {"part": part})


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
