"""Sections *faust* and *state*: who keeps a small visitor-session state how fast.

Each engine is a process of its own that reads the same topic from its start. The first fifth warms
it up (connections, caches, a JIT); what counts is the rest, until its state is durable. How many
sessions each counted is held against what was fed.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.kafka.bench import BATCHED, PARTITIONS, SINGLE, Bench, say
from benchmarks.kafka.build import NeedsError, python_peers, streams
from benchmarks.kafka.process import FailedError, running
from benchmarks.kafka.rows import Row, missing

HERE = Path(__file__).parent
SLOW = 50_000
"""How many events the idiomatic app gets at most: it takes seconds for each 10,000."""
PATIENCE = 240.0


class Task(Struct, frozen=True):
    """What an engine is told."""

    bootstrap: str
    topic: str
    events: int
    warm: int
    data: Path
    variant: str

    def flags(self) -> list[str]:
        """Return it as command line options (``visit.arguments`` reads them)."""
        names = ("bootstrap", "topic", "events", "warm", "data", "variant")
        return [text for name in names for text in (f"--{name}", str(getattr(self, name)))]


Command = Callable[[Bench, Task], Sequence[str]]


class Engine(Struct, frozen=True):
    """One line of the table: how an engine is started, what it reads, and how much at most."""

    what: str
    command: Command
    variant: str = ""
    batched: bool = False
    most: int = 0
    other: str = ""
    asked: str = ""


def _ours(module: str) -> Command:
    return lambda _bench, task: [sys.executable, "-m", f"benchmarks.kafka.{module}", *task.flags()]


def _script(folder: str) -> Command:
    def command(bench: Bench, task: Task) -> list[str]:
        return [str(python_peers(bench.cache)), str(HERE / folder / "app.py"), *task.flags()]

    return command


def _streams(store: str) -> Command:
    def command(bench: Bench, task: Task) -> list[str]:
        told = [task.bootstrap, task.topic, str(task.events), str(task.warm), str(task.data)]
        path = streams(bench.cache)
        return ["java", "-Xmx1g", "-cp", path, "Visits", *told, store, task.variant]

    return command


FAUST = [
    Engine(
        "Faust, idiomatic app, one event a record",
        _ours("faust_app.app"),
        variant=str(PARTITIONS),
        most=SLOW,
        other=f"at most {SLOW:,} events",
    )
]
LEAST, EXACTLY = "at_least_once", "exactly_once_v2"
STATE = [
    Engine(
        "Waymark's engine, batched records",
        _ours("ours"),
        variant=str(PARTITIONS),
        batched=True,
        asked="ahead of each peer on one event a record",
        other="exactly once, every 5,000 events, 2 MiB or 100 ms",
    ),
    Engine(
        "Waymark's engine, one event a record",
        _ours("ours"),
        variant=str(PARTITIONS),
        most=SLOW,
        other=f"the same; at most {SLOW:,} events; without a claim",
    ),
    Engine("Quix Streams, RocksDB and changelog", _script("quix"), other="commits every 5 s"),
    Engine("Bytewax, recovery every 10 s", _script("bytewax"), variant="10"),
    Engine("Bytewax, recovery every 1 s", _script("bytewax"), variant="1"),
    Engine("Kafka Streams, RocksDB", _streams("rocksdb"), LEAST, other="commits every 30 s"),
    Engine("Kafka Streams, in memory", _streams("memory"), LEAST, other="commits every 30 s"),
    Engine("Kafka Streams, in memory, exactly once", _streams("memory"), EXACTLY),
    Engine(
        "Kafka Streams, in memory, batched records",
        _streams("memory"),
        LEAST,
        batched=True,
        other="without a claim",
    ),
    Engine("plain consumer, orjson, a dict", _script("plain"), other="nothing durable"),
]


def run(bench: Bench, engines: Sequence[Engine]) -> None:
    """Measure the engines one after the other."""
    for number, engine in enumerate(engines):
        say(engine.what)
        try:
            row = _measure(bench, engine, bench.folder / f"engine-{number}-{engine.what[:5]}")
        except (NeedsError, FailedError) as error:
            row = missing(engine.what, str(error), engine.asked)
        bench.rows.append(row)


def _measure(bench: Bench, engine: Engine, data: Path) -> Row:
    fed = bench.visits()
    events = min(fed.events, engine.most or fed.events)
    topic = f"{BATCHED if engine.batched else SINGLE}.events"
    task = Task(bench.bootstrap, topic, events, events // 5, data, engine.variant)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    log = data.with_suffix(".log")
    with running(engine.command(bench, task), log, env=environment) as process:
        first = process.next(PATIENCE)
        last = process.next(PATIENCE)
    if last.told["events"] < events:
        raise FailedError(f"took {last.told['events']:,} of {events:,} events")
    if events == fed.events and last.told["sessions"] != fed.sessions:
        raise FailedError(f"counted {last.told['sessions']:,} sessions, not {fed.sessions:,}")
    done = last.told["events"] - first.told["events"]
    wall, core = done / (last.wall - first.wall), done / (last.cpu - first.cpu)
    return Row(engine.what, wall, core, engine.asked, engine.other)
