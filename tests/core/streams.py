"""A partition on a dictionary, and short ways to say what a shopper does."""

from typing import Any

import msgspec

from schemas.event import Event
from services.common.ports import Changes, LogRecord, PartitionMeta
from services.sessionizer.core.admission import Poison
from services.sessionizer.core.partition import Partition
from services.sessionizer.core.policy import SourceRules
from tests.support.memory import MemoryStates

T0 = 1_760_000_000_000
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
RULES = SourceRules()


def event(type_: str, at: int, event_id: str = "", visitor: str = "v", **fields: Any) -> Event:
    """Return an event ``at`` milliseconds after T0; its id defaults to type and time."""
    return Event(
        type=type_,  # type: ignore[arg-type]
        event_id=event_id or f"{type_}@{at}",
        source="shop",
        visitor_id=visitor,
        ts_ms=T0 + at,
        received_ms=T0 + at,
        **fields,
    )


class Stream:
    """A partition, its log, and the rows it has emitted, newest per id.

    ``crash`` throws the partition away and starts another from what was committed, reading again
    from the applied record. With ``most``, what is due is done and stored in slices, and after so
    many of them as ``slices`` says it crashes.
    """

    def __init__(
        self,
        rules: SourceRules = RULES,
        resident: int = 1000,
        most: int | None = None,
        slices: int = -1,
    ) -> None:
        self.most = most
        self.slices = slices
        self.rules = rules
        self.resident = resident
        self.states = MemoryStates()
        self.meta: PartitionMeta | None = None
        self.log: list[LogRecord] = []
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.forwards: list[Event] = []
        self.deliver = True
        self.partition = self._start()

    def _start(self) -> Partition:
        return Partition(lambda _: self.rules, self.states, self.meta, resident=self.resident)

    def send(self, at: int, *events: Event, commit: bool = True) -> list[Poison]:
        """Append a record ``at`` milliseconds after T0 and apply it."""
        body = b"\n".join(map(msgspec.json.encode, events))
        return self.send_bytes(at, body, commit=commit)

    def send_bytes(self, at: int, body: bytes, *, commit: bool = True) -> list[Poison]:
        record = LogRecord(len(self.log) + 1, T0 + at, body)
        self.log.append(record)
        poisons = self.partition.apply(record, self.most)
        while self.partition.more_due:
            self.commit(at)
            self.slices -= 1
            if self.slices == 0:
                self.crash()
            self.partition.fire(self.most)
        if commit:
            self.commit(at)
        return poisons

    def tick(self, at: int, *, commit: bool = True) -> None:
        self.send(at, Event(type="__tick"), commit=commit)

    def quiet(self, start: int, end: int, step: int = 10 * SECOND) -> None:
        """Let time pass without a stall."""
        for at in range(start, end, step):
            self.tick(at)
        self.tick(end)

    def commit(self, at: int) -> None:
        """Store what changed; append what is forwarded, as ingest would."""
        changes = self.partition.take()
        self.states.commit(changes)
        self.meta = changes.meta
        self.partition.committed()
        self._keep(changes)
        if self.deliver and changes.forwards:
            self.send_bytes(at, b"\n".join(out.line for out in changes.forwards))

    def _keep(self, changes: Changes) -> None:
        for table, lines in changes.rows.items():
            for line in lines:
                row = msgspec.json.decode(line)
                self.rows.setdefault(table, {})[_id(table, row)] = row
        self.forwards += [msgspec.json.decode(out.line, type=Event) for out in changes.forwards]

    def crash(self) -> None:
        """Lose all memory, then read again what was not yet applied."""
        self.partition = self._start()
        applied = self.meta.applied if self.meta else -1
        for record in self.log:
            if record.offset > applied:
                self.partition.apply(record)

    def signals(self, visitor: str = "v") -> list[tuple[str, int]]:
        """Return kind and time after T0 of a visitor's signals, stages left out."""
        rows = self.rows.get("signals", {}).values()
        found = [
            (row["kind"], row["at_ms"] - T0)
            for row in rows
            if row["visitor_id"] == visitor
            and row["kind"] != "stage_entered"
            and not row["retracted"]
        ]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))

    def flags(self) -> list[tuple[str, str]]:
        """Return event id and flag of every flagged event."""
        return sorted(
            (row["event_id"], row["flag"]) for row in self.rows.get("event_flags", {}).values()
        )

    def carts(self, visitor: str = "v") -> list[dict[str, Any]]:
        rows = self.rows.get("carts", {}).values()
        return sorted(
            (row for row in rows if row["visitor_id"] == visitor), key=lambda row: row["opened_ms"]
        )

    def sessions(self, visitor: str = "v") -> list[dict[str, Any]]:
        rows = self.rows.get("sessions", {}).values()
        return sorted(
            (row for row in rows if row["visitor_id"] == visitor), key=lambda row: row["started_ms"]
        )


def _id(table: str, row: dict[str, Any]) -> str:
    names = {
        "sessions": ("session_id",),
        "carts": ("cart_id",),
        "orders": ("visitor_id", "order_id", "event_id", "kind"),
        "signals": ("signal_id",),
        "event_flags": ("visitor_id", "event_id", "flag"),
    }
    return "/".join(str(row[name]) for name in names[table])


def same(rows: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return rows without what a restart may change: versions and emission times."""
    return {
        table: {
            key: {k: v for k, v in row.items() if k not in {"version", "emitted_ms"}}
            for key, row in by_id.items()
        }
        for table, by_id in rows.items()
    }
