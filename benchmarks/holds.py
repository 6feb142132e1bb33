"""How long the fold stands still for a `forget` and for a rebuild, beside shoppers.

    python -m benchmarks.holds [--visitors 200000] [--stored 20000]

A data folder in which so many visitors rest, of some of them an event in storage (whose number is
how long a rebuild takes); others never rest meanwhile. "Held" is how long the fold was held, each
time; "unanswered" the longest that a question to the live view waited, whatever for.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from benchmarks.core import States
from benchmarks.figures import figure
from schemas.event import TICK, Event
from schemas.spans import HOUR_MS
from services.common.catalog_rows import Source
from services.common.clock import SystemClock
from services.common.fatal import die
from services.common.ports import Changes, LogRecord, Outgoing, PartitionMeta, nothing
from services.common.settings import load
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from services.standalone.admin.context import AdminContext
from services.standalone.admin.forget import forget
from services.standalone.admin.history import rebuild_source
from services.standalone.fold import Fold
from services.standalone.folder import Folder, FolderLock
from services.standalone.log import SqliteLog
from services.standalone.parts import Parts, open_parts
from services.standalone.state_store import SqliteStates
from services.standalone.worker import Worker

SOURCE = "shop"
POLICY = "[time]\ngrace_ms = 1_000\nemit_every_ms = 1_000\n"
"""So that states are stored while it is measured."""
RECORD = 400
AT_ONCE = 20_000
RESTLESS = 20
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 120.0
"""For a fold that is held: far longer than it may be, and short enough to end what hangs."""
AGO_MS = HOUR_MS
"""When the resting ones were there: long enough for a visit to be over, not to be forgotten."""
STEP_MS = 5_000
"""Between two ticks; after a longer silence nobody is declared gone."""
TICKS = AGO_MS // STEP_MS


class Timed(AdminContext):
    """The parts as a command gets them; notes each hold's seconds, by the clock and of the CPU."""

    held: list[tuple[float, float]] = []  # noqa: RUF012 - one measurement a process

    @contextmanager
    def paused(self) -> Iterator[Fold]:
        """Hold, and note for how long."""
        with super().paused() as fold:
            began, used = time.perf_counter(), time.process_time()
            try:
                yield fold
            finally:
                took = time.perf_counter() - began
                self.held.append((took, time.process_time() - used))


def line(visitor: str, ts_ms: int) -> bytes:
    """Return one page view as ingest writes it."""
    event = Event(
        type="page_view",
        event_id=f"{visitor}-{ts_ms}",
        source=SOURCE,
        visitor_id=visitor,
        ts_ms=ts_ms,
        received_ms=ts_ms,
        path="/",
    )
    return msgspec.json.encode(event)


def rested(ts_ms: int) -> bytes:
    """Return the state of a visitor whose only visit is over."""
    states, rules = States(), SourceRules()
    partition = Partition(lambda _: rules, states)
    partition.apply(LogRecord(0, ts_ms, line("one", ts_ms)))
    for offset in range(1, TICKS):
        partition.apply(LogRecord(offset, ts_ms + offset * STEP_MS, TICK))
    (state,) = partition.take().states.values()
    assert state is not None, "the visit is over, and the visitor still known"
    return state


def fill(folder: Folder, visitors: int, stored: int) -> None:
    """Write the log and the states as they stand once all of it has been folded."""
    clock, names = SystemClock(), [f"v-{number:09d}" for number in range(visitors)]
    ts_ms = clock.now_ms() - AGO_MS
    log = SqliteLog(folder.log, clock, on_fatal=die)
    for start in range(0, stored, RECORD):
        some = names[start : min(start + RECORD, stored)]
        log.append([Outgoing(SOURCE, name, line(name, ts_ms)) for name in some])
    meta = PartitionMeta(log.end(), log.append_ms(), 0, log.append_ms() << 20)
    log.close()
    states, state = SqliteStates(folder.state), rested(ts_ms)
    for start in range(0, visitors, AT_ONCE):
        some = names[start : start + AT_ONCE]
        kept: dict[bytes, bytes | None] = {f"{SOURCE}\x1f{name}".encode(): state for name in some}
        states.commit(Changes(meta, kept, {}, []))
    states.close()


class Shoppers:
    """Some who never rest, and one who asks of the fold all the time, each in a thread.

    One that fails ends the process: what is measured without it would be of another thing.
    """

    def __init__(self, parts: Parts) -> None:
        """Prepare both; a ``with`` block begins and ends them."""
        self._parts = parts
        self.longest = 0.0
        turns = {"walks": self._walk, "asks": self._ask}
        self._workers = [Worker(name, turn, die) for name, turn in turns.items()]

    def __enter__(self) -> Self:
        """Begin."""
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until both are done, whatever became of the command beside them."""
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            worker.join(PATIENCE_SECONDS)

    def _walk(self) -> float:
        now_ms = self._parts.clock.now_ms()
        names = [f"restless-{number}" for number in range(RESTLESS)]
        self._parts.log.append([Outgoing(SOURCE, name, line(name, now_ms)) for name in names])
        return PAUSE_SECONDS

    def _ask(self) -> float:
        began = time.perf_counter()
        asked = self._parts.engine.ask(lambda fold: fold.visitor(SOURCE, "restless-0"))
        asked.result(PATIENCE_SECONDS)
        self.longest = max(self.longest, time.perf_counter() - began)
        return PAUSE_SECONDS


def measure(parts: Parts, name: str, command: Callable[[Timed], Any], visitors: int) -> None:
    """Run a command beside the shoppers, and tell how long the fold was held."""
    context = Timed(parts=parts, progress=nothing, running=True)
    context.held.clear()
    with Shoppers(parts) as shoppers:
        time.sleep(2.0)
        shoppers.longest, began = 0.0, time.perf_counter()
        command(context)
        took = time.perf_counter() - began
    held = ", ".join(f"{1_000 * by:,.0f} ({1_000 * of:,.0f})" for by, of in context.held)
    waited = f"unanswered {shoppers.longest * 1_000:,.0f} ms"
    print(f"{name} at {visitors:,} visitors: held {held} ms (of the CPU); {waited}; {took:.1f} s")
    longest = max((by for by, _ in context.held), default=0.0)
    figure(f"{name} at {visitors:,} visitors holds the fold", f"{longest * 1_000:,.0f} ms", "< 1 s")


def main() -> None:
    """Fill a folder, then forget one of it and rebuild all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=200_000)
    parser.add_argument("--stored", type=int, default=20_000, help="at most as many")
    asked = parser.parse_args()
    visitors = asked.visitors
    with tempfile.TemporaryDirectory(prefix="holds-") as place:
        policy = Path(place) / "policy.toml"
        policy.write_text(POLICY)
        settings = load(environ={}, overrides={"data": Path(place) / "data", "policy": policy})
        folder = Folder(settings.data)
        with FolderLock(folder):
            fill(folder, visitors, min(asked.stored, visitors))
            with open_parts(settings, die) as parts:
                parts.catalog.put_source(Source(name=SOURCE))
                parts.engine.catch_up()
                parts.engine.start()
                parts.log.accept(True)
                try:
                    commands(parts, visitors)
                finally:
                    parts.engine.stop(60)


def commands(parts: Parts, visitors: int) -> None:
    """Run both."""
    who, everyone = {"source": SOURCE, "visitor_id": "v-000000007"}, {"source": SOURCE}
    measure(parts, "forget", lambda context: forget(context, who), visitors)
    measure(parts, "rebuild", lambda context: rebuild_source(context, everyone), visitors)


if __name__ == "__main__":
    main()
