"""Section *loader*: topics into ClickHouse over HTTP, storage a process of its own, as it runs.

Two logs are loaded, each whole before the loader starts, so that it is behind all the way: the
events of a shop, and the rows that the fold made of them, one a record. Beside the loader stand
what it cannot do without: a consumer that reads the same records and only counts, and storage given
the same rows by a client that has them ready.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.loader_beside import counted, prepared
from benchmarks.kafka.loader_feed import Fed, feed
from benchmarks.kafka.parts import Part, needs, part
from benchmarks.kafka.process import FailedError, Process, cpu_seconds, running
from benchmarks.kafka.rows import Row, missing, rate
from deploy.kafka.broker import free_ports

WHAT = "loader over HTTP, backlog"
ASKED = "≥ 200,000 rows/s"
ROWS = "waymark_loader_rows_total"
INSERTS = "waymark_loader_insert_seconds_count"
LOOK_SECONDS = 0.5
"""Being asked costs the loader a few milliseconds each time."""
START_SECONDS = 60.0
STUCK_SECONDS = 60.0
KINDS = ("events", "rows of the fold")


class Look(Struct, frozen=True):
    """How far all is at a moment: rows and inserts done, the clock, CPU-seconds."""

    rows: float
    inserts: float
    wall: float
    loader: float
    storage: float


def run(bench: Bench) -> None:
    """Fill both logs, and measure the loader on each, then what stands beside it."""
    for number, kind in enumerate(KINDS):
        what = f"{WHAT}, {kind}"
        say(what)
        try:
            needs("loader")
            fed = feed(bench, f"loader{number}", rows=number > 0)
            with _storage(bench, number) as (server, url):
                with part(bench, "loader", fed.prefix, CLICKHOUSE=url) as loader:
                    bench.rows.append(_measured(loader, server, fed, what))
                bench.rows.append(prepared(server, url, fed, kind))
            bench.rows.append(counted(bench, fed, kind))
        except (NeedsError, FailedError) as error:
            bench.rows.append(missing(what, str(error), ASKED))


@contextmanager
def _storage(bench: Bench, number: int) -> Iterator[tuple[Process, str]]:
    port = free_ports(1)[0]
    folder = bench.folder / f"loader-clickhouse{number}"
    command = [sys.executable, "-m", "deploy.clickhouse_local", str(folder), str(port)]
    with running(command, bench.folder / f"loader-clickhouse{number}.log") as server:
        until = time.monotonic() + START_SECONDS
        while not _answers(port):
            if not server.alive() or time.monotonic() > until:
                raise FailedError("storage did not start")
            time.sleep(LOOK_SECONDS)
        yield server, f"http://127.0.0.1:{port}/bench"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _measured(loader: Part, server: Process, fed: Fed, what: str) -> Row:
    first, last = _wait(loader, server, fed.rows // 5), _wait(loader, server, fed.rows)
    done = last.rows - first.rows
    if done <= 0:
        raise FailedError("all was loaded at the first look: give it more events")
    storage = done / (last.storage - first.storage)
    each = done / max(1.0, last.inserts - first.inserts)
    beside = f"storage {rate(storage)} per CPU-s of its own; {rate(each)} rows an insert"
    wall, core = done / (last.wall - first.wall), done / (last.loader - first.loader)
    return Row(what, wall, core, ASKED, beside)


def _wait(loader: Part, server: Process, wanted: int) -> Look:
    before, moved = -1.0, time.monotonic()
    while True:
        look = _look(loader, server)
        if look.rows >= wanted:
            return look
        if look.rows > before:
            before, moved = look.rows, look.wall
        if not loader.process.alive():
            loader.process.next(1.0)  # raises, with its last words
        if look.wall - moved > STUCK_SECONDS:
            raise FailedError(f"stands at {look.rows:,.0f} of {wanted:,} rows")
        time.sleep(LOOK_SECONDS)


def _look(loader: Part, server: Process) -> Look:
    rows, inserts = loader.metric(ROWS), loader.metric(INSERTS)
    spent = [cpu_seconds(one.pid) for one in (loader.process, server)]
    return Look(rows, inserts, time.monotonic(), *spent)
