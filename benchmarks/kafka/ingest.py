"""Section *ingest*: POSTs to ``acks=all``, in batches of 100 and singly, beside the Go reference.

The server is kept to one core, the load generator to another, where the machine has two. "per
CPU-s" counts events (or single requests) per CPU-second of the server; the latencies are those at
half of what it took flat out, from when a request was due. The generator, the broker and whatever
else runs share what the server leaves: "sent late" is how much of that is theirs (p99).
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.kafka.bench import Bench, say
from benchmarks.kafka.build import NeedsError, reference
from benchmarks.kafka.parts import KEY, part
from benchmarks.kafka.process import FailedError, Process, cpu_seconds, pinned, running
from benchmarks.kafka.rows import Row, missing
from services.common.topics_made import ensure_topics

ASKED = {
    100: "≥ 200,000 events per CPU-s",
    1: "≥ 15,000 per CPU-s, p99 ≤ 25 ms at half",
}
CONNECTIONS = {100: 32, 1: 64}
PREFIX = "ingest"


def run(bench: Bench) -> None:
    """Measure ours and the reference, batches first."""
    for batch in (100, 1):
        for name in ("Waymark", "Go reference"):
            what = f"{name}, {batch} event{'s' * (batch > 1)} a POST"
            say(what)
            asked = ASKED[batch] if name == "Waymark" else ""
            try:
                with _server(bench, name, str(batch)) as (process, port):
                    row = _measure(bench, process, port, batch)
                row = Row(what, row.wall, row.core, asked, row.other)
            except (NeedsError, FailedError) as error:
                row = missing(what, str(error), asked)
            bench.rows.append(row)


@contextmanager
def _server(bench: Bench, name: str, label: str) -> Iterator[tuple[Process, int]]:
    if name == "Waymark":
        with part(bench, "ingest", PREFIX, core=0, label=label) as ours:
            ours.wait_ready()
            yield ours.process, ours.port
        return

    asyncio.run(ensure_topics(bench.settings("reference"), ["events"]))
    flags = ["-bootstrap", bench.bootstrap, "-topic", "reference.events"]
    flags += ["-partitions", str(bench.partitions)]
    command = pinned(0, [str(reference(bench.cache) / "server"), *flags])
    with running(command, bench.folder / f"reference-{label}.log") as process:
        yield process, int(process.next(30).told["port"])


def _measure(bench: Bench, process: Process, port: int, batch: int) -> Row:
    load(bench, port, batch, 2.0)  # caches, connections, the catalog
    cpu = cpu_seconds(process.pid)
    flat = load(bench, port, batch, bench.seconds)
    cpu = cpu_seconds(process.pid) - cpu
    half = load(bench, port, batch, bench.seconds, rate=flat["requests"] / flat["seconds"] / 2)
    events = flat["requests"] * batch
    other = (
        f"at half: p50 {half['p50_ms']:.1f} ms, p99 {half['p99_ms']:.1f} ms "
        f"(sent late: {half['late_p99_ms']:.1f})"
    )
    if flat["refused"] or half["refused"]:
        other += f"; refused as overload: {flat['refused']:,} flat out, {half['refused']:,} at half"
    return Row("", events / flat["seconds"], events / cpu, other=other)


def load(
    bench: Bench, port: int, batch: int, seconds: float, rate: float = 0.0
) -> dict[str, float]:
    """Run the load generator; return its requests, seconds and latencies."""
    program = Path(reference(bench.cache)) / "load"
    command = [str(program), "-address", f"127.0.0.1:{port}", "-key", KEY, "-batch", str(batch)]
    command += ["-connections", str(CONNECTIONS.get(batch, 32)), "-seconds", f"{seconds}"]
    command += ["-rate", f"{rate}"]
    done = subprocess.run(pinned(1, command), capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError(f"the load generator: {done.stderr.strip()[:200]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
