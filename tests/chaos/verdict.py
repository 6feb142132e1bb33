"""What must hold when all has come to rest: nothing lost, nothing twice, nothing but the rules.

The judge is the batch oracle, over the events that lie in the log. Live, what may differ from it is
what the fold itself marked for the rebuild, and it may mark only what came later than the grace.
Once what is marked is rebuilt (``rebuilt.py``) nothing may.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import ConsumerRecord

from schemas.event import Event, address_of
from schemas.rows import FlagRow, SignalRow
from services.common.clickhouse import open_storage
from services.common.policy_file import parse_policy
from services.common.settings import Settings
from services.history.stored import TYPES, key_of
from services.sessionizer.core.batch import Rows
from services.sessionizer.core.policy import SourceRules
from tests.chaos.contents import DECIDED_MS, POLICY, SOURCE, Json
from tests.oracle.compare import Told, differences
from tests.oracle.compare import told as by_key
from tests.oracle.oracle import judge
from tests.sessionizer.told import told
from tests.support.kafka import read_all

RULES = SourceRules(policy=parse_policy(POLICY, "the policy of chaos"))
LAG_OF_FLAG_MS = {
    "late": RULES.policy.time.grace_ms,
    "late_order": RULES.policy.time.grace_ms,
    "stateless": RULES.policy.time.stub_ms,
}
"""Nobody is marked but for an event with more lag than this."""
TOPIC_OF_TABLE = {"event_flags": "flags"}
Key = tuple[str, str, str]


class Copy(msgspec.Struct, frozen=True):
    """The first copy of an event at an address, and when it was appended."""

    event: Event
    append_ms: int


class Report(msgspec.Struct):
    """What was compared, for people."""

    events: int = 0
    appended: int = 0
    forwards: int = 0
    visitors: int = 0
    rows: dict[str, int] = {}
    flags: dict[str, int] = {}
    marked: int = 0
    differed: int = 0
    rebuilt: dict[str, str] = {}
    retracted: int = 0
    greatest_lag_ms: int = 0


class Verdict:
    """Reads topics and storage once, and says in words all that is wrong: nothing is best.

    ``truth`` is what the oracle says of all visitors.
    """

    def __init__(self, settings: Settings, acknowledged: dict[str, Json]) -> None:
        self._settings = settings
        self.truth: Told = {}
        self._acknowledged = acknowledged
        self.report = Report()
        self.wrong: list[str] = []

    async def reach(self) -> "Verdict":
        copies = self._copies(await read_all(self._settings, "events"))
        rows = await told(self._settings)
        letters = await read_all(self._settings, "dead-letters")
        self.wrong += [f"dead letter {one.value!r}" for one in letters[:3]]
        self._log(copies)
        marked = self._flags(rows.flags, copies)
        self._law(rows, copies, marked)
        self._decided(rows)
        self._signals(rows, marked)
        storage = open_storage(self._settings.clickhouse, create=False)
        try:
            self._stored_events(storage, copies)
            for table in TYPES:
                self._stored_rows(storage, table, rows)
        finally:
            storage.close()
        return self

    # -- the log

    def _copies(self, records: Iterable[ConsumerRecord]) -> dict[Key, Copy]:
        """Return the first copy of each event at each address it came to."""
        first: dict[Key, Copy] = {}
        for record in records:
            for event in msgspec.json.Decoder(Event).decode_lines(record.value):
                if event.type.startswith("__"):
                    continue
                self.report.appended += 1
                key = (event.source, event.to or address_of(event), event.event_id)
                first.setdefault(key, Copy(event, record.timestamp))
        return first

    def _log(self, copies: dict[Key, Copy]) -> None:
        own = {key: copy for key, copy in copies.items() if not copy.event.to}
        self.report.events, self.report.forwards = len(own), len(copies) - len(own)
        self._once("log", [key[2] for key in own])
        for (_, _, event_id), copy in own.items():
            sent = self._acknowledged.get(event_id)
            if sent is not None and not _is(copy.event, sent):
                self.wrong.append(f"log: {event_id} is {copy.event}, was sent as {sent}")

    def _once(self, where: str, found: list[str]) -> None:
        """Every acknowledged event is there once, and none that was never sent."""
        times = Counter(found)
        doubled = [one for one, count in times.items() if count > 1]
        missing = sorted(self._acknowledged.keys() - times.keys())
        strange = sorted(times.keys() - self._acknowledged.keys())
        for name, some in (("twice", doubled), ("missing", missing), ("never sent", strange)):
            if some:
                self.wrong.append(f"{where}: {len(some)} events {name}: {some[:5]}")

    # -- the fold

    def _flags(self, flags: list[FlagRow], copies: dict[Key, Copy]) -> dict[str, set[str]]:
        """Return the flags of each visitor marked for the rebuild; each flag must have its cause.

        An event that came within the grace is never late, whatever died or stood still.
        """
        marked: dict[str, set[str]] = defaultdict(set)
        self.report.greatest_lag_ms = max(
            (copy.append_ms - copy.event.ts_ms for copy in copies.values()), default=0
        )
        for flag in flags:
            marked[flag.visitor_id].add(flag.flag)
            copy = copies.get((flag.source, flag.visitor_id, flag.event_id))
            lag = copy.append_ms - copy.event.ts_ms if copy else -1
            if flag.flag not in LAG_OF_FLAG_MS or lag <= LAG_OF_FLAG_MS[flag.flag]:
                self.wrong.append(f"flag without a cause (lag {lag} ms): {flag}")
        self.report.flags = dict(Counter(flag.flag for flag in flags))
        self.report.marked = len(marked)
        return marked

    def _law(self, rows: Rows, copies: dict[Key, Copy], marked: dict[str, set[str]]) -> None:
        events = [copy.event for copy in copies.values() if not copy.event.to]
        as_of = max((event.ts_ms for event in events), default=0) + DECIDED_MS
        self.truth, live = by_key(judge(events, RULES, as_of)), by_key(rows)
        self.report.visitors = len({address_of(event) for event in events})
        said = differences(self.truth, live, leave_out=marked)
        self.wrong += [f"{len(said)} differences from the oracle", *said[:10]] if said else []
        self.report.differed = len(differences(self.truth, live)) - len(said)

    def _decided(self, rows: Rows) -> None:
        """Nothing of anybody is open: what is, no rebuild may replace."""
        for row in by_key(rows).values():
            if row.get("closed_ms", 0) is None or row.get("outcome") in {"open", "abandoned"}:
                self.wrong.append(f"still open: {row}")

    def _signals(self, rows: Rows, marked: dict[str, set[str]]) -> None:
        """Hold that a signal is told once, but for what a late order of its visitor says."""
        newest: dict[str, SignalRow] = {}
        for row in rows.signals:
            late = "late_order" in marked.get(row.visitor_id, ())
            before = newest.get(row.signal_id)
            if before is not None and (not late or row.version <= before.version):
                self.wrong.append(f"signal told again: {before} then {row}")
            if row.retracted and not late:
                self.wrong.append(f"signal taken back without a late order: {row}")
            newest[row.signal_id] = row
        self.report.retracted = sum(row.retracted for row in newest.values())

    # -- storage

    def _stored_events(self, storage: Any, copies: dict[Key, Copy]) -> None:
        found = storage.query("SELECT event_id, append_ms, body FROM events FINAL")
        self._once("storage", [row["event_id"] for row in found])
        first = {key[2]: copy for key, copy in copies.items() if not copy.event.to}
        for row in found:
            copy = first.get(row["event_id"])
            stored = msgspec.json.decode(row["body"], type=Event)
            if copy is not None and stored != copy.event:
                self.wrong.append(f"storage has {stored}, the log's first copy is {copy.event}")

    def _stored_rows(self, storage: Any, table: str, rows: Rows) -> None:
        """Storage has each id's newest row, word for word, and nothing else."""
        newest: dict[Any, Any] = {}
        for row in getattr(rows, TOPIC_OF_TABLE.get(table, table)):
            key = key_of(table, row)
            if key not in newest or newest[key].version <= row.version:
                newest[key] = row
        stored = [
            msgspec.convert(row, TYPES[table], strict=False)
            for row in storage.query(f"SELECT * FROM {table} FINAL WHERE source = '{SOURCE}'")
        ]
        self.report.rows[table] = len(stored)
        by_id = {key_of(table, row): row for row in stored}
        if len(by_id) != len(stored):
            self.wrong.append(f"{table}: {len(stored)} rows of {len(by_id)} ids in storage")
        differ = [key for key in newest.keys() | by_id.keys() if newest.get(key) != by_id.get(key)]
        if differ:
            one = differ[0]
            what = f"topic {newest.get(one)}\n  storage {by_id.get(one)}"
            self.wrong.append(f"{table}: {len(differ)} rows differ from the topic: {what}")


def _is(event: Event, sent: Json) -> bool:
    """Tell whether the log has the event as it was sent, no later than it was received."""
    names = ("type", "event_id", "visitor_id", "order_id", "cart_id")
    same = all(getattr(event, name) == sent.get(name, "") for name in names)
    return same and event.ts_ms == min(sent["ts_ms"], event.received_ms)


async def at_rest(settings: Settings, acknowledged: dict[str, Json], seconds: float) -> Verdict:
    """Ask until nothing is wrong; what still is after so long is an error in words."""
    until = time.monotonic() + seconds
    while True:
        verdict = await Verdict(settings, acknowledged).reach()
        if not verdict.wrong:
            return verdict
        if time.monotonic() > until:
            raise AssertionError("\n".join([*verdict.wrong, str(verdict.report)]))
        await asyncio.sleep(2)
