"""The whole product in one process: POST to queryable, the live view, a start, its memory.

Real requests go to a real ``waymark run`` on a folder of its own. The fold's grace is one second
instead of thirty, so that folding, storing and loading all happen within the measured time. The
baseline is storage alone: the same events' rows straight into embedded ClickHouse.

    python -m benchmarks.standalone [--seconds 10] [--visitors 1000000]
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import figure
from schemas.event import Event
from services.common.clickhouse import open_storage
from services.common.ports import LogRecord, PartitionMeta
from services.common.settings import load
from services.loader.event_columns import EventRows
from services.loader.migrate import migrate
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from services.standalone.state_store import SqliteStates

BATCH = 100
REQUESTS = 4_000
OK = 200
AGO_MS = 300_000
"""How long before a start its shoppers came: rows of what is open are due after a minute."""
POLICY = "[time]\ngrace_ms = 1_000\n"
STEPS: tuple[dict[str, Any], ...] = (
    {"type": "page_view", "url": "https://shop.example/", "referrer": "https://www.google.com/"},
    {"type": "page_view", "url": "https://shop.example/category/hats"},
    {"type": "product_view", "products": [{"product_id": "p1", "price": "12.50"}]},
    {"type": "cart_add", "products": [{"product_id": "p1", "price": "12.50"}]},
    {"type": "checkout_start"},
)
FIRST = 50
"""Events sent after a start, for more than a second: what is due holds up those behind a tick."""


class Process:
    """A ``waymark run`` and what the system says of it."""

    def __init__(self, process: subprocess.Popen[str], port: int, key: str) -> None:
        self.pid = process.pid
        self.port = port
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection of one's own."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, connection: http.client.HTTPConnection, path: str) -> tuple[int, Any]:
        """Ask one question."""
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def rss_mib(self) -> float:
        """Return its resident memory."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024

    def cpu_seconds(self) -> float:
        """Return the CPU time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


SERVE = (sys.executable, "-m", "benchmarks.standalone", "--serve")


@contextmanager
def running(data: Path, serving: Sequence[str] = SERVE, *more: str) -> Iterator[Process]:
    """Start the product on a folder and a free port; end it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*serving, str(data), str(port), *more]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        found = ""
        while "Try it" not in found and "makes a write key" not in found:
            line = process.stdout.readline()
            assert line, "waymark run did not start"
            found += line
        keys = re.findall(r"wk_[\w-]+", found)
        yield Process(process, port, keys[0] if keys else "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def serve(data: Path, port: int) -> int:
    """Be the process measured."""
    from services.standalone.run import run  # noqa: PLC0415 - only the child needs it

    data.parent.mkdir(exist_ok=True)
    policy = data.parent / "policy.toml"
    policy.write_text(POLICY)
    return run(load(environ={}, overrides={"data": data, "port": port, "policy": policy}))


def body(number: int, now_ms: int) -> bytes:
    """Return a request of 100 events: twenty shoppers who go to the checkout."""
    events = [
        {"visitor_id": f"v{number}-{who}", "event_id": f"{number}-{who}-{place}", **step}
        | {"ts_ms": now_ms - 50 + 10 * place}
        for who in range(BATCH // len(STEPS))
        for place, step in enumerate(STEPS)
    ]
    return json.dumps(events).encode()


def flood(process: Process, seconds: float, first: int = 0) -> dict[str, float]:
    """Send as fast as it is answered; return events/s until the last could be queried."""
    numbers = range(first, first + REQUESTS)
    bodies = [body(number, int(time.time() * 1000)) for number in numbers]
    before, started = process.cpu_seconds(), time.perf_counter()
    taken = [0, 0]

    def send(lane: int) -> None:
        connection = process.connect()
        for payload in bodies[lane::2]:
            if time.perf_counter() - started > seconds:
                break
            connection.request("POST", "/v1/events", payload, process.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == OK:
                taken[lane] += BATCH
        connection.close()

    threads = [threading.Thread(target=send, args=(lane,)) for lane in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answered = time.perf_counter() - started
    wait_loaded(process)
    queryable = time.perf_counter() - started
    return {
        "events": sum(taken),
        "answered/s": sum(taken) / answered,
        "queryable/s": sum(taken) / queryable,
        "per CPU-second": sum(taken) / (process.cpu_seconds() - before),
    }


def wait_loaded(process: Process) -> None:
    """Wait until no hop has anything before it."""
    connection = process.connect()
    while True:
        _, health = process.get(connection, "/v1/health/pipeline")
        lags = {hop["name"]: hop["lag"] for hop in health["hops"]}
        if lags["sessionizer"] <= 1 and lags["events"] <= 1 and lags["rows"] == 0:
            connection.close()
            return
        time.sleep(0.05)


def live_view(process: Process, count: int) -> list[float]:
    """Return seconds from the start of a POST until the live view shows its stage."""
    connection, found = process.connect(), []
    for number in range(count):
        visitor = f"live{number}"
        event = {"type": "cart_add", "visitor_id": visitor, "event_id": visitor}
        started = time.perf_counter()
        connection.request("POST", "/v1/events", json.dumps(event), process.headers)
        connection.getresponse().read()
        stage = ""
        while stage != "intent":
            status, live = process.get(connection, f"/v1/visitors/{visitor}?source=shop")
            stage = live["current_stage"] if status == OK else ""
        found.append(time.perf_counter() - started)
    connection.close()
    return sorted(found)


def many_states(folder: Path, visitors: int) -> None:
    """Make a state store of so many shoppers with an open session and cart, told minutes ago."""
    states = SqliteStates(folder / "state.db")
    rules = SourceRules()
    fold = Partition(lambda _: rules, states, None)
    now = int(time.time() * 1000) - AGO_MS
    lines = [
        msgspec.json.encode(
            Event(type=kind, event_id=kind, source="shop", visitor_id="v", ts_ms=now)
        )
        for kind in ("page_view", "product_view", "cart_add")
    ]
    fold.apply(LogRecord(1, now, b"\n".join(lines)))
    fold.apply(LogRecord(2, now + 31_000, b'{"type":"__tick"}'))
    changes = fold.take()
    (value,) = changes.states.values()
    for start in range(0, visitors, 50_000):
        some = {f"shop\x1fv{start + n}".encode(): value for n in range(50_000)}
        meta = PartitionMeta(0, changes.meta.clock_ms, 0, changes.meta.version)
        states.commit(msgspec.structs.replace(changes, states=some, rows={}, meta=meta))
    states.close()


def storage_alone(folder: Path, events: int) -> float:
    """Return rows/s of the same events' rows straight into embedded ClickHouse."""
    storage = open_storage(f"chdb://{folder}")
    migrate(storage)
    now = int(time.time() * 1000)
    lines = [
        msgspec.json.encode(
            Event(
                type="page_view",
                event_id=f"e{n}",
                source="shop",
                visitor_id=f"v{n // 5}",
                ts_ms=now,
                url="https://shop.example/",
                path="/",
            )
        )
        for n in range(events)
    ]
    made = EventRows()
    made.add(LogRecord(1, now, b"\n".join(lines)))
    rows = list(made)
    started = time.perf_counter()
    for place in range(0, events, 50_000):
        storage.insert("events", rows[place : place + 50_000], str(place))
    took = time.perf_counter() - started
    storage.close()
    return events / took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--visitors", type=int, default=1_000_000)
    parser.add_argument("--serve", nargs=2, metavar=("DATA", "PORT"))
    options = parser.parse_args()
    if options.serve:
        raise SystemExit(serve(Path(options.serve[0]), int(options.serve[1])))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder / "data") as process:
            flooded = flood(process, options.seconds)
            after = process.rss_mib()
            live = live_view(process, 200)
        print(f"POST to queryable, whole pipeline   {flooded['queryable/s']:>10,.0f} events/s")
        print(f"  answered 200                      {flooded['answered/s']:>10,.0f} events/s")
        print(f"  a CPU-second of the process       {flooded['per CPU-second']:>10,.0f} events")
        print(f"  memory after {flooded['events']:>9,.0f} events      {after:>10,.0f} MiB")
        alone = storage_alone(folder / "alone", 200_000)
        print(f"  baseline: storage alone           {alone:>10,.0f} rows/s")
        p50, p99 = statistics.median(live), live[int(len(live) * 0.99)]
        print(f"POST to live view, p50 / p99        {p50 * 1e3:>7,.1f} / {p99 * 1e3:,.1f} ms")
        queryable, stored = f"{flooded['queryable/s']:,.0f}", f"{alone:,.0f} (storage alone)"
        figure("standalone, POST to queryable, events/s", queryable, ">= 30,000", stored)
        figure("standalone, POST to live view, p99", f"{p99 * 1e3:,.0f} ms", "<= 500 ms")
        (folder / "many").mkdir()
        many_states(folder / "many", options.visitors)
        started = time.perf_counter()
        with running(folder / "many") as process:
            took = time.perf_counter() - started
            memory = process.rss_mib()
            shown = live_view(process, FIRST)[-1]
            figure("standalone, start with live visitors", f"{took:.1f} s", "<= 15 s")
            figure("standalone, slowest of the first events then", f"{shown:.1f} s")
            figure("standalone, memory with them", f"{memory:,.0f} MiB", "<= 2,048 MiB")
            print(f"start with {options.visitors:>9,} live visitors {took:>10,.1f} s")
            print(f"  slowest of the first events       {shown:>10,.1f} s")
            print(f"  memory in all                     {memory:>10,.0f} MiB")


if __name__ == "__main__":
    main()
