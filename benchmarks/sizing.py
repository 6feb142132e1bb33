"""What one event takes on disks: in the log, and in storage after its parts are merged.

    python -m benchmarks.sizing [--visits N]

Events are the simulated shop's, normalised as ingest does; a real shop's carry longer addresses and
more properties, so measure yours: `waymark replay` into a fresh folder, then look at its size.
"""

import argparse
import itertools
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence

import msgspec

from schemas.context import Context
from schemas.normalise import Prepared, prepare
from services.common.catalog_rows import Source
from services.common.clickhouse import ClickHouse, open_storage
from services.common.ports import LogRecord
from services.common.sites import site_of
from services.demo.journeys import visits
from services.loader.event_columns import EventRows
from services.loader.migrate import migrate
from services.sessionizer.core.policy import Policy

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

START_MS = 1_790_000_000_000
APART_MS = 2_000
RECORD = 400
SIZE = """
SELECT sum(data_compressed_bytes) AS packed, sum(data_uncompressed_bytes) AS plain
FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events'
"""


def batched(every: Sequence[bytes], size: int) -> list[bytes]:
    """Return records of so many events."""
    return [b"\n".join(every[at : at + size]) for at in range(0, len(every), size)]


def lines(count: int) -> Iterator[bytes]:
    """Yield the events of so many visits as the log holds them."""
    site = site_of(Source(name="shop"), Policy())
    for number, steps in enumerate(itertools.islice(visits(5), count)):
        at_ms = START_MS + number * APART_MS
        for step in steps:
            at_ms += step.after_ms
            context = Context(site=site, received_ms=at_ms, new_id=lambda: str(uuid.uuid4()))
            made = prepare(msgspec.json.encode({"ts_ms": at_ms, **step.event}), context)
            if isinstance(made, Prepared):
                yield made.line


def stored(storage: ClickHouse, records: list[bytes]) -> tuple[int, int]:
    """Insert the records' events, merge, and return packed and plain bytes on disk."""
    for offset, body in enumerate(records):
        rows = EventRows()
        rows.add(LogRecord(offset, START_MS, body))
        storage.insert("events", rows, "")
    storage.command("OPTIMIZE TABLE events FINAL")
    (row,) = storage.query(SIZE)
    return int(row["packed"]), int(row["plain"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=20_000)
    every = list(lines(parser.parse_args().visits))
    bodies = batched(every, RECORD)
    plain = sum(map(len, bodies))
    packed = sum(len(zstd.compress(body)) for body in bodies)
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(f"chdb://{folder}")
        migrate(storage)
        kept, _ = stored(storage, batched(every, 50_000))
        storage.close()
    count = len(every)
    print(f"{count} events of the simulated shop")
    print(f"log, plain                      {plain / count:6.0f} bytes an event")
    print(f"log, zstd, {RECORD} events a record  {packed / count:6.0f}")
    print(f"storage, events table, merged   {kept / count:6.0f}")


if __name__ == "__main__":
    main()
