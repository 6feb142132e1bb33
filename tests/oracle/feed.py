"""A log that is fed to the partition machine, with crashes, and everything it ever emitted."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

import msgspec

from schemas.event import Event
from schemas.rows import CartRow, FlagRow, OrderRow, SessionRow, SignalRow
from services.common.ports import LogRecord, PartitionMeta
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from tests.oracle.compare import Key, key_of
from tests.support.memory import MemoryStates

TICK = Event(type="__tick")
SECOND, MINUTE = 1_000, 60_000


class Feed:
    """A partition, its log, its states at rest, and all rows in the order of their emission.

    What the partition forwards is appended to the log at once, at the log's own time.
    """

    def __init__(self, rules: SourceRules, resident: int = 1_000) -> None:
        self.rules = rules
        self.resident = resident
        self.states = MemoryStates()
        self.meta: PartitionMeta | None = None
        self.log: list[LogRecord] = []
        self.sessions: list[SessionRow] = []
        self.carts: list[CartRow] = []
        self.orders: list[OrderRow] = []
        self.signals: list[SignalRow] = []
        self.flags: list[FlagRow] = []
        self.partition = self._start()

    def _start(self) -> Partition:
        return Partition(lambda _: self.rules, self.states, self.meta, resident=self.resident)

    def append(self, append_ms: int, events: Iterable[Event]) -> None:
        """Append one record and apply it; nothing is stored yet."""
        body = b"\n".join(msgspec.json.encode(event) for event in events)
        record = LogRecord(len(self.log) + 1, append_ms, body)
        self.log.append(record)
        poisons = self.partition.apply(record)
        assert not poisons

    def commit(self) -> None:
        """Store what changed, and append what is forwarded until nothing more is."""
        while True:
            changes = self.partition.take()
            self.states.commit(changes)
            self.meta = changes.meta
            self.partition.committed()
            for table, lines in changes.rows.items():
                for line in lines:
                    self._keep(table, line)
            if not changes.forwards:
                return
            lines = [out.line for out in changes.forwards]
            self.append(self.log[-1].append_ms, map(decode_event, lines))

    def _keep(self, table: str, line: bytes) -> None:
        match table:
            case "sessions":
                self.sessions.append(msgspec.json.decode(line, type=SessionRow))
            case "carts":
                self.carts.append(msgspec.json.decode(line, type=CartRow))
            case "orders":
                self.orders.append(msgspec.json.decode(line, type=OrderRow))
            case "signals":
                self.signals.append(msgspec.json.decode(line, type=SignalRow))
            case "event_flags":
                self.flags.append(msgspec.json.decode(line, type=FlagRow))
            case other:
                raise AssertionError(other)

    def crash(self) -> None:
        """Lose all memory; start from what is stored and read on after the applied record."""
        self.partition = self._start()
        applied = self.meta.applied if self.meta else -1
        for record in self.log:
            if record.offset > applied:
                assert not self.partition.apply(record)

    def quiet(self, until_ms: int, step_ms: int = 10 * SECOND) -> None:
        """Tick on without a stall."""
        for append_ms in range(self.log[-1].append_ms + step_ms, until_ms, step_ms):
            self.append(append_ms, [TICK])
        self.append(until_ms, [TICK])
        self.commit()

    def finish(self, as_of_ms: int) -> None:
        """Let time pass to ``as_of_ms`` so that no hold of a stall outlasts it."""
        self.commit()  # what is forwarded is no days under way
        jump = as_of_ms - 16 * MINUTE
        if jump > self.log[-1].append_ms:
            self.append(jump, [TICK])
        self.quiet(as_of_ms)

    def statements(self) -> dict[Key, list[SessionRow | CartRow | OrderRow | SignalRow]]:
        """Return every row ever emitted, by what it is a statement of."""
        said: dict[Key, list[SessionRow | CartRow | OrderRow | SignalRow]] = {}
        for rows in (self.sessions, self.carts, self.orders, self.signals):
            for row in rows:
                said.setdefault(key_of(row), []).append(row)
        return said


def decode_event(line: bytes) -> Event:
    return msgspec.json.decode(line, type=Event)


def arrivals(
    events: Sequence[Event], delays: Sequence[int], joined_ms: int
) -> list[tuple[int, list[Event]]]:
    """Say what comes when: each event late by its delay, those close by in one record."""
    pairs = zip(events, delays, strict=True)
    records: list[tuple[int, list[Event]]] = []
    for came_ms, event in sorted(((e.ts_ms + delay, e) for e, delay in pairs), key=itemgetter(0)):
        if records and came_ms - records[-1][1][0].ts_ms < joined_ms:
            before = records.pop()[1]
            records.append((came_ms, [*before, event]))
        else:
            records.append((came_ms, [event]))
    return records
