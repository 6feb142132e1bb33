"""Section *stage*: from a POST until the visitor's stage shows in ``/v1/visitors/{id}``."""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError
from benchmarks.kafka.parts import KEY, Part, needs, part
from benchmarks.kafka.process import FailedError, running
from benchmarks.kafka.rows import Row, missing
from deploy.kafka.broker import free_ports

WHAT = "POST → stage in /v1/visitors/{id}"
ASKED = "p99 ≤ 1 s"
PREFIX = "stage"
TRIES = 200
PATIENCE = 20.0
PAUSE = 0.005


def run(bench: Bench) -> None:
    """Start ingest, a worker and the metrics API, and ask for one new visitor after the other."""
    say(WHAT)
    try:
        needs("ingest", "sessionizer", "loader", "metrics_api")
        with (
            _storage(bench) as storage,
            part(bench, "ingest", PREFIX) as ingest,
            part(bench, "sessionizer", PREFIX) as worker,
            part(bench, "loader", PREFIX, CLICKHOUSE=storage) as loader,
            part(bench, "metrics_api", PREFIX, CLICKHOUSE=storage) as api,
        ):
            for each in (ingest, worker, loader):
                each.wait_ready()
            api.wait_ready(path="/healthz")
            _seconds(ingest, api, "v-first")  # whoever owns what is known from here on
            took = [_seconds(ingest, api, f"v-{number}") for number in range(TRIES)]
        cuts = statistics.quantiles(took, n=100)
        other = f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, of {TRIES}"
        row = Row(WHAT, asked=ASKED, other=other)
    except (NeedsError, FailedError) as error:
        row = missing(WHAT, str(error), ASKED)
    bench.rows.append(row)


@contextmanager
def _storage(bench: Bench) -> Iterator[str]:
    """Serve ClickHouse over HTTP, as where no server is at hand; yield its address."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "deploy.clickhouse_local", f"{bench.folder}/clickhouse"]
    with running([*command, str(port)], bench.folder / "clickhouse.log"):
        yield f"http://default:@127.0.0.1:{port}/default"


def _seconds(ingest: Part, api: Part, visitor: str) -> float:
    event = {"type": "product_view", "visitor_id": visitor, "url": "https://shop.example/p/1"}
    began = time.monotonic()
    answer = httpx.post(
        f"http://127.0.0.1:{ingest.port}/v1/events",
        json=event,
        headers={"Authorization": f"Bearer {KEY}"},
    )
    if answer.status_code != httpx.codes.OK:
        raise FailedError(f"POST answered {answer.status_code}: {answer.text[:200]}")
    while True:
        seen = api.get(f"/v1/visitors/{visitor}?source=shop")
        if seen.status_code == httpx.codes.OK and seen.json().get("current_stage"):
            return time.monotonic() - began
        if time.monotonic() - began > PATIENCE:
            raise FailedError(
                f"not seen after {PATIENCE:.0f} s: {seen.status_code} {seen.text[:150]}"
            )
        time.sleep(PAUSE)
