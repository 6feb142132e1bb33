"""Intake: a record's events to their visitors, on receipt.

DESIGN, *The fold* 1 and 3: repeats are dropped, links and orders sent on their way, late events
noted; what is left waits for its grace in fold order.
"""

from bisect import insort

from xxhash import xxh3_64_digest

from schemas.event import RESERVED, Event, address_of
from schemas.rows import FlagKind, FlagRow
from schemas.spans import DAY_MS
from services.common.ports import LogRecord
from services.sessionizer.core.admission import (
    OTHERS,
    RANK,
    Poison,
    Waiting,
    not_after,
    poisoned,
    wrong,
)
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import Entries, Entry
from services.sessionizer.core.erasure import erase
from services.sessionizer.core.folding import late_order
from services.sessionizer.core.links import holds
from services.sessionizer.core.logclock import LogClock
from services.sessionizer.core.routes import Routes
from services.sessionizer.core.schedule import Schedule


class Tally:
    """What became of a partition's events since it was started; events read again count again."""

    __slots__ = ("folded", "late", "poison", "repeated")

    def __init__(self) -> None:
        self.folded = 0
        self.repeated = 0
        self.late = 0
        self.poison = 0


class Intake:
    """Admits events. Nothing of it is stored but what acts on receipt: links and late orders."""

    def __init__(
        self,
        entries: Entries,
        clock: LogClock,
        out: Collector,
        routes: Routes,
        schedule: Schedule,
        tally: Tally,
    ) -> None:
        self._entries = entries
        self._clock = clock
        self._out = out
        self._routes = routes
        self._schedule = schedule
        self._tally = tally
        self._offset = -1

    def admit(  # noqa: C901  one loop: a call an event would cost more than it tells
        self, events: list[Event], record: LogRecord, poisons: list[Poison]
    ) -> list[Entry]:
        """Admit events to their visitors; return the visitors that have something new to wait."""
        append_ms, self._offset = record.append_ms, record.offset
        young, get, rank_of = self._entries.young.get, self._entries.get, RANK.get
        touched: list[Entry] = []
        for place, event in enumerate(events):
            source, event_id, ts_ms = event.source, event.event_id, event.ts_ms
            address = event.to or event.visitor_id or address_of(event)
            rank = rank_of(event.type, OTHERS)
            if rank < 0 or ts_ms <= 0 or not (source and event_id and address):
                self._admit_odd(event, record, place, poisons, "")
                continue
            if ts_ms > append_ms:
                event = not_after(event, append_ms)  # noqa: PLW2901  the same event, its time mended
                ts_ms = append_ms
            key = f"{source}\x1f{address}"
            entry = young(key) or get(key, source, address)
            if entry.elsewhere or (entry.reserved and event.visitor_id.startswith(RESERVED)):
                self._admit_odd(event, record, place, poisons, entry.elsewhere)
                continue
            known = entry.known
            digest = xxh3_64_digest(event_id.encode())
            # Not `in`, which makes an error first to find that a hash is no number.
            if known.find(digest) >= 0 and holds(known, digest):
                self._tally.repeated += 1
                continue
            item: Waiting = (ts_ms, rank, event_id, append_ms, event)
            if event.user_id or event.cart_id or event.order_id:
                self._reach(entry, event)
            if not entry.live_dirty:
                self._entries.touch(entry)
            frontier = entry.state.frontier
            if ts_ms <= frontier[0] and item[:3] < frontier:
                self._late(entry, item, digest)
                continue
            if append_ms - ts_ms > entry.grace_ms:
                self._lag(entry, item)
            entry.known = known + digest
            waiting = entry.waiting
            if waiting and ts_ms <= waiting[-1][0] and item < waiting[-1]:
                insort(waiting, item)
                entry.mixed = True
            else:
                waiting.append(item)
            if entry.last_append != append_ms or len(waiting) == 1:
                entry.last_append = append_ms
                touched.append(entry)
        return touched

    def _admit_odd(
        self, event: Event, record: LogRecord, place: int, poisons: list[Poison], elsewhere: str
    ) -> None:
        """Take a tick (nothing to do), a link, an erasure, or a line that cannot be folded."""
        reason = wrong(event) or elsewhere
        if not reason and event.type != "__tick":
            entry = self._entries.get(f"{event.source}\x1f{event.to}", event.source, event.to)
            reason = entry.elsewhere or self._control(entry, event, record)
        if reason:
            poisons.append(poisoned(record, place, reason))

    def _control(self, entry: Entry, event: Event, record: LogRecord) -> str:
        """Take a link or an erasure; no reason speaks against it."""
        if event.type == "__link":
            self._routes.take_link(entry, event, self._clock.clock_ms)
        else:
            erase(entry, event, record)
        self._entries.changed(entry)
        self._schedule.put(entry)
        return ""

    def _reach(self, entry: Entry, event: Event) -> None:
        """Send on receipt what the event's ids ask for (DESIGN, *Links*)."""
        if self._offset < entry.state.forgot:
            return
        ids = (event.user_id, event.cart_id, event.order_id, event.ts_ms // DAY_MS)
        if ids == entry.linked and event.type != "purchase":
            return
        if not event.to:
            entry.linked = ids
        if self._routes.send(entry, event, self._clock.clock_ms):
            self._entries.changed(entry)

    def _late(self, entry: Entry, item: Waiting, digest: bytes) -> None:
        """Note an event that sorts before the frontier; an order acts on carts at once.

        One from before its person was forgotten, read again after a restart, is forgotten again.
        """
        if self._offset < entry.state.forgot:
            return
        self._tally.late += 1
        event = item[4]
        order = event.type == "purchase"
        if order:
            late_order(entry.state, item, entry.rules, self._out)
        entry.remember(digest)
        self._entries.changed(entry)
        self._schedule.put(entry)
        self._flag(entry, event, "late_order" if order else "late")

    def _lag(self, entry: Entry, item: Waiting) -> None:
        """Hold absence back from a visitor whose events come late, and note one quite unknown."""
        time, state, event = entry.rules.policy.time, entry.state, item[4]
        lag = item[3] - item[0]
        if not event.to:
            state.hold_ms = max(state.hold_ms, item[3] + min(lag, time.lag_hold_max_ms))
        if lag > time.stub_ms and state.visitor is None and not entry.waiting:
            self._flag(entry, event, "stateless")

    def _flag(self, entry: Entry, event: Event, flag: FlagKind) -> None:
        self._out.flag(
            FlagRow(
                source=entry.source,
                visitor_id=entry.address,
                event_id=event.event_id,
                ts_ms=event.ts_ms,
                flag=flag,
                version=self._out.version(),
            )
        )
