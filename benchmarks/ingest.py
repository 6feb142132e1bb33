"""How fast ingest is, over real HTTP to a durable log, beside an endpoint that only decodes.

The server runs on one core (uvicorn with uvloop and httptools), the load generator on another.
"A core" is a CPU-second of the server process, all its threads and the log's writer included.

    python -m benchmarks.ingest [--seconds 4]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop

from benchmarks.figures import figure
from benchmarks.ingest_load import Load, requests
from services.common.catalog import Catalog
from services.common.clock import SystemClock
from services.common.garbage import collect_seldom
from services.common.hosts import App, Receive, Scope, Send, guard_hosts
from services.common.metrics import Metrics
from services.ingest.app import create_ingest, ingest_first
from services.sessionizer.core.policy import SourceRules
from services.standalone.log import SqliteLog

KEY = "benchmark-key"
CONNECTIONS = 32
ASKED = (
    (100, "events a core", ">= 200,000/s"),
    (1, "requests a core", ">= 15,000/s"),
)
"""Of each batch size: what of it is asked for (docs/design.md), and how much."""
DEPTH = {1: 4, 100: 1}
READY = {1: 20_000, 100: 400}
HALF_LOAD_SECONDS = 4.0


class Server:
    """A server process: its port, and the CPU-seconds it has used."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._ask()[0])

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process so far."""
        self._tell()
        return float(self._ask()[0])

    def _tell(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def _ask(self) -> list[str]:
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()


@contextmanager
def server(kind: str, folder: Path) -> Iterator[Server]:
    """Start a server of a kind on a free port and a core of its own; end it afterwards."""
    command = [sys.executable, "-m", "benchmarks.ingest", "--serve", kind, "--data", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process)
    finally:
        process.terminate()
        process.communicate()


async def measure(at: Server, batch: int, seconds: float) -> dict[str, float]:
    """Return events a CPU-second flat out, and latencies at half of that load."""
    ready = requests(KEY, batch, READY[batch])
    load = Load(ready)
    await load.connect(at.port, CONNECTIONS)
    await load.flat_out(1.0, DEPTH[batch])  # caches, branch predictors, files
    done, cpu, began = load.done, at.cpu_seconds(), time.perf_counter()
    await load.flat_out(seconds, DEPTH[batch])
    wall = time.perf_counter() - began
    done, cpu = load.done - done, at.cpu_seconds() - cpu
    load.seconds.clear()
    await load.paced(HALF_LOAD_SECONDS, done / wall / 2)
    latencies = statistics.quantiles(load.seconds, n=100)
    return {
        "events a core": done * batch / cpu,
        "requests a core": done / cpu,
        "requests/s": done / wall,
        "CPU share": cpu / wall,
        "p50 ms": latencies[49] * 1000,
        "p99 ms": latencies[98] * 1000,
    }


def run(seconds: float) -> list[dict[str, Any]]:
    """Measure the baseline and ingest, batches and single events; print a row for each."""
    _pin(1)
    rows: list[dict[str, Any]] = []
    print(f"{'':32}{'events/core':>13}{'requests/core':>15}{'CPU':>7}{'p50 ms':>9}{'p99 ms':>9}")
    for batch in (100, 1):
        for kind in ("baseline", "ingest"):
            with tempfile.TemporaryDirectory() as folder, server(kind, Path(folder)) as at:
                found = uvloop.run(measure(at, batch, seconds))
            rows.append({"kind": kind, "batch": batch, **found})
            print(
                f"{kind + f', {batch} a request':32}{found['events a core']:>13,.0f}"
                f"{found['requests a core']:>15,.0f}{found['CPU share']:>7.2f}"
                f"{found['p50 ms']:>9.2f}{found['p99 ms']:>9.2f}",
                flush=True,
            )
    for (batch, of, asked), first in zip(ASKED, (0, 2), strict=True):
        baseline, seen = rows[first], rows[first + 1]
        name = f"ingest, {batch} a request, {of}"
        figure(name, f"{seen[of]:,.0f}", asked, f"{baseline[of]:,.0f} (HTTP, decode)")
    return rows


def _pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


# The server process.


async def baseline(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after decoding the JSON, keeping nothing: what HTTP itself costs here."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    found = msgspec.json.decode(b"".join(parts))
    body = b'{"received":%d}' % (len(found) if isinstance(found, list) else 1)
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": 200, "headers": [length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _application(kind: str, folder: Path) -> App:
    if kind == "baseline":
        return baseline
    metrics, clock = Metrics(), SystemClock()
    log = SqliteLog(folder / "log.db", clock, on_fatal=_fatal, metrics=metrics)
    rules = SourceRules()
    ingest = create_ingest(
        log,
        log,
        Catalog(folder / "catalog.db", clock, [f"shop={KEY}"]),
        rules=lambda _source: rules,
        clock=clock,
        metrics=metrics,
    )
    return guard_hosts(ingest_first(ingest, baseline), "127.0.0.1")


def _fatal(error: BaseException) -> None:
    print(error, file=sys.stderr)
    os._exit(1)


def serve(kind: str, folder: Path) -> None:
    """Run one server, its port told on standard output; a line in is answered with CPU time."""
    _pin(0)
    config = uvicorn.Config(
        _application(kind, folder),
        port=0,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
    )
    socket = config.bind_socket()
    print(socket.getsockname()[1], flush=True)
    threading.Thread(target=_tell_cpu, daemon=True).start()
    collect_seldom()  # as every process of ours that serves
    uvloop.run(uvicorn.Server(config).serve([socket]))


def _tell_cpu() -> None:
    for _line in sys.stdin:
        print(time.process_time(), flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=("baseline", "ingest"))
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve, arguments.data)
    elif arguments.json:
        print(json.dumps(run(arguments.seconds)))
    else:
        run(arguments.seconds)


if __name__ == "__main__":
    main()
