"""Our engine with the small visitor-session state in place of the fold.

All of it is the sessionizer's own: Faust for membership and fetching, owners, states in memory,
one transaction a group of records, the changelog. Only what is folded is small (``VisitFold``).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from benchmarks.kafka.visit import GAP_MS, STAGES, Marks, arguments
from services.common.fatal import die
from services.common.garbage import collect_seldom
from services.common.metrics import Metrics
from services.common.ports import Changes, LogRecord, PartitionMeta, StateReader
from services.common.settings import Settings, load
from services.sessionizer.app import COMMIT_SECONDS, make_app
from services.sessionizer.core.admission import Poison
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules, Time
from services.sessionizer.effects import Effects
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners
from services.sessionizer.restore import Restored
from services.sessionizer.run import DRAIN_SECONDS
from services.sessionizer.states import States
from services.sessionizer.tally import Tally


class Line(Struct, gc=False):
    """What the state needs of an event."""

    source: str
    visitor_id: str
    type: str
    ts_ms: int


class Visit(Struct, array_like=True, gc=False):
    """Where a visitor stands, as ``visit.fold`` keeps it."""

    sessions: int = 0
    last: int = -GAP_MS * 2
    start: int = 0
    events: int = 0
    pages: int = 0
    stage: int = 0

    def take(self, kind: str, at: int) -> None:
        """Apply one event, as ``visit.fold`` does."""
        if at - self.last > GAP_MS:
            self.sessions += 1
            self.start = at
            self.events = self.pages = self.stage = 0
        self.last = max(self.last, at)
        self.events += 1
        self.pages += kind == "page_view"
        self.stage = max(self.stage, STAGES.get(kind, 0))


class VisitFold(Partition):
    """A partition in which only the small state is folded, and no time is waited for.

    Made of the engine's own class, without states: what the worker asks beyond records in and
    changes out is answered for a partition where nothing is due.
    """

    def __init__(self, states: StateReader, partitions: int, marks: Marks) -> None:
        meta = PartitionMeta(applied=-1, partitions=partitions)
        super().__init__(lambda _source: SourceRules(), States(), meta)
        self._states, self._marks = states, marks
        self._lines = msgspec.json.Decoder(Line)
        self._to_visit = msgspec.msgpack.Decoder(Visit).decode
        self._to_bytes = msgspec.msgpack.Encoder().encode
        self._open: dict[str, Visit] = {}
        self._leaving: dict[str, Visit] = {}
        self._events, self._storing = 0, 0
        self.stored = 0

    def apply(self, record: LogRecord, most: int | None = None) -> list[Poison]:  # noqa: ARG002
        """Apply the next record; nothing is ever due."""
        self._last = record.offset
        self._clock.move(record.append_ms)
        lines = self._lines.decode_lines(record.body)
        for line in lines:
            key = f"{line.source}\x1f{line.visitor_id}"
            visit = self._open.get(key) or self._find(key)
            visit.take(line.type, line.ts_ms)
            self._marks.count({"events": visit.events})
        self._events += len(lines)
        return []

    def _find(self, key: str) -> Visit:
        visit = self._leaving.get(key)
        if visit is None:
            data = self._states.get(key.encode())
            visit = Visit() if data is None else self._to_visit(data)
        self._open[key] = visit
        return visit

    def take(self) -> Changes:
        """Return what changed since the last take."""
        states: dict[bytes, bytes | None] = {
            key.encode(): self._to_bytes(visit) for key, visit in self._open.items()
        }
        self._leaving, self._open = self._open, {}
        self._storing = self._events
        return Changes(self._meta(), states, {}, [])

    def committed(self) -> None:
        """Let go of what is stored."""
        self._leaving = {}
        self.stored = self._storing


class VisitOwners(Owners):
    """Owners whose partitions keep the small state."""

    def __init__(self, settings: Settings, marks: Marks) -> None:
        rules = SourceRules()
        super().__init__(settings, lambda _source: rules, Time(), Tally(Metrics()))
        self._marks = marks
        self._partitions = settings.kafka_partitions
        self.folds: list[VisitFold] = []

    def _own(self, number: int, found: Restored, effects: Effects, end: int) -> Owner:
        owner = super()._own(number, found, effects, end)
        fold = VisitFold(owner.states, self._partitions, self._marks)
        self.folds.append(fold)
        owner.fold = fold
        return owner


async def work() -> None:
    """Run until every event has been taken and its state committed."""
    asked = arguments()
    settings = load(
        environ={},
        overrides={
            "kafka": asked.bootstrap,
            "kafka_prefix": asked.topic.removesuffix(".events"),
            "kafka_partitions": int(asked.variant),
            "data": Path(asked.data),
        },
    )
    marks = Marks(asked.warm)
    owners = VisitOwners(settings, marks)
    app, reader = make_app(settings, owners, die)
    settings.data.mkdir(parents=True, exist_ok=True)
    collect_seldom()
    tasks = [_begin(app.start())]

    async def tell() -> None:
        if not owners.moving:
            await owners.tell(reader.commit)

    async def drain() -> None:
        owners.drain()
        if sum(fold.stored for fold in owners.folds) >= asked.events:
            marks.tell()
            stop.set()

    stop = asyncio.Event()
    tasks += [_every(DRAIN_SECONDS, drain), _every(COMMIT_SECONDS, tell)]
    await stop.wait()
    os._exit(0)  # what is measured is done; leaving the group takes seconds that count for nobody


def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> asyncio.Future[None]:
    async def loop() -> None:
        while True:
            await asyncio.sleep(seconds)
            await do()

    return _begin(loop())


def _begin(do: Awaitable[None]) -> asyncio.Future[None]:
    task = asyncio.ensure_future(do)
    task.add_done_callback(_check)
    return task


def _check(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled() and (error := ended.exception()) is not None:
        die(error)


if __name__ == "__main__":
    uvloop.run(work())
