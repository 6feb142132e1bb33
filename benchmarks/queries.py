"""Metrics over millions of sessions: p50 and p95 a metric, both tiers against raw FINAL.

    python benchmarks/queries.py [--sessions 1000000] [--data DIR] [--rounds 5]

Generates rows straight into embedded storage (90 days; per 100 sessions 12 carts, 3 orders, 60
signals; raw events of the last six days, six a session), in the order of their time, as a shop's
come: the last 12 days, of which some are read raw, in small inserts, each row twice. Seals what is
due, then asks each metric as a dashboard does: the whole 90 days, the last 7 by day, the last 30 by
channel. ``--data`` keeps the store, so that a second run only asks.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from benchmarks.figures import figure
from services.common.clickhouse import ClickHouse, open_storage
from services.loader.migrate import migrate, statements
from services.loader.seal import seal
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.query import rows
from services.metrics_api.registry import METRICS

DAY = 86_400_000
NOW = 1_795_039_200_000
SOURCE, TZ = "shop", "Europe/Berlin"
TARGET_MS = 150
BATCH = 1_000_000
LIVE_DAYS = 12
LIVE_BATCH = 5_000
"""Of the last days: what a loader inserts at once where much comes."""


def main() -> None:
    """Generate, seal, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(f"chdb://{chosen.data or Path(folder)}")
        migrate(storage)
        prepare(storage, chosen.sessions)
        report(storage, chosen.sessions, chosen.rounds)
        storage.close()


def prepare(storage: ClickHouse, sessions: int) -> None:
    """Bring the store to so many sessions, sealed as the seal job leaves it."""
    (row,) = storage.query("SELECT count() AS n FROM sessions FINAL")
    if not row["n"]:
        started = time.perf_counter()
        live = sessions * (90 - LIVE_DAYS) // 90
        for first in range(0, live, BATCH):
            _fill(storage, sessions, first, min(BATCH, live - first), 1)
        for first in range(live, sessions, LIVE_BATCH):
            _fill(storage, sessions, first, min(LIVE_BATCH, sessions - first), 1)
            before = max(first - LIVE_BATCH, live)
            _fill(storage, sessions, before, first - before, 2)
        print(f"generated {sessions:,} sessions in {time.perf_counter() - started:.0f} s")
    started = time.perf_counter()
    sealed = seal(storage, SOURCE, TZ, NOW)
    print(f"sealed {sealed:,} buckets in {time.perf_counter() - started:.0f} s")
    while storage.query("SELECT count() AS n FROM system.merges")[0]["n"]:
        time.sleep(1)


def _fill(storage: ClickHouse, total: int, first: int, count: int, version: int) -> None:
    values = {"total": total, "first": first, "count": count, "version": version}
    values |= {"visitors": max(total // 3, 1), "now": NOW}
    text = Path(__file__).with_name("queries_shop.sql").read_text("utf-8")
    for name, value in values.items():
        for kind in ("UInt64", "Int64"):
            text = text.replace(f"{{{name}:{kind}}}", str(value))
    for statement in statements(text) if count else ():
        storage.command(statement)


def questions() -> Iterator[tuple[str, list[MetricQuery]]]:
    """Yield each metric with the questions a dashboard asks of it."""
    for name, metric in METRICS.items():
        if metric.kind == "now":
            continue
        whole = MetricQuery(
            metric=name, source=SOURCE, from_ms=NOW - 90 * DAY, to_ms=NOW, now_ms=NOW, tz=TZ
        )
        asked = [whole, replace(whole, from_ms=NOW - 7 * DAY, step="1d")]
        if "channel" in metric.dimensions:
            asked.append(replace(whole, from_ms=NOW - 30 * DAY, group_by=("channel",)))
        yield name, asked


class Cost(NamedTuple):
    """What one answer took: on the wall, and of all cores (what a busy machine does not blur)."""

    wall_ms: float
    cpu_ms: float


def report(storage: ClickHouse, sessions: int, rounds: int) -> None:
    """Print a line a metric, and the p95 over all questions beside the figure to reach."""
    print(
        f"\n{'metric':<28}{'p50 ms':>8}{'p95 ms':>8}{'cpu ms':>8}{'raw FINAL ms':>14}{'cpu ms':>8}"
    )
    every: list[Cost] = []
    without: list[Cost] = []
    for name, asked in questions():
        costs = [_cost(storage, one) for one in asked for _ in range(rounds)]
        raw = _cost(storage, replace(asked[0], raw=True))
        every += costs
        without.append(raw)
        shown = f"{middle(costs):>8.0f}{p95(costs):>8.0f}{p95(costs, 'cpu_ms'):>8.0f}"
        print(f"{name:<28}{shown}{raw.wall_ms:>14.0f}{raw.cpu_ms:>8.0f}")
    print(
        f"\nall questions over {sessions:,} sessions: p50 {middle(every):.0f} ms, p95 "
        f"{p95(every):.0f} ms (to reach: {TARGET_MS} ms); cpu p95 {p95(every, 'cpu_ms'):.0f} ms"
    )

    figure(
        f"a metric over {sessions:,} sessions, p95",
        f"{p95(every):.0f} ms",
        f"<= {TARGET_MS} ms",
        f"{p95(without):.0f} ms (raw FINAL)",
    )


def _cost(storage: ClickHouse, query: MetricQuery) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    rows(storage, query)
    return Cost((time.perf_counter() - wall) * 1_000, (time.process_time() - cpu) * 1_000)


def middle(costs: list[Cost]) -> float:
    """Return the median on the wall."""
    return statistics.median(cost.wall_ms for cost in costs)


def p95(costs: list[Cost], of: str = "wall_ms") -> float:
    """Return the 95th percentile."""
    times = sorted(getattr(cost, of) for cost in costs)
    return float(times[min(len(times) - 1, int(len(times) * 0.95))])


if __name__ == "__main__":
    main()
