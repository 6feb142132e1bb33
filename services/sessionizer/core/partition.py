"""One partition of the log: the clock, admission, settling, deadlines, and what changed.

DESIGN, *The log* and *The fold*. Pure: bytes and times in, changes out. For each record: the clock
first, then its events are admitted, then what is due is done. A shell stores ``take()`` in one
transaction and then says ``committed()``; whatever fails after folding began ends the process.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from xxhash import xxh3_64_digest

from schemas.event import Event, address_of
from schemas.rows import FlagKind, FlagRow, SignalRow
from services.common.ports import Changes, LogRecord, PartitionMeta, StateReader
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.admission import (
    OTHERS,
    RANK,
    LineReader,
    Poison,
    Waiting,
    not_after,
    poisoned,
    wrong,
)
from services.sessionizer.core.codec import Codec, Head, head_of
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import UNKNOWN, Entries, Entry
from services.sessionizer.core.folding import fold_run, late_order, meet, pass_time, remember
from services.sessionizer.core.lifetime import forget, forgotten_ms
from services.sessionizer.core.links import expires_day, holds
from services.sessionizer.core.live import Live, settled_view
from services.sessionizer.core.policy import DAY, SourceRules, Time
from services.sessionizer.core.routes import Routes
from services.sessionizer.core.state import NEVER
from services.sessionizer.core.timers import Wheel

RESIDENT = 32_768
"""How many decoded states one generation of the overlay holds."""


class _Batch(NamedTuple):
    """The visitors that a record touched, and offset, clock and hold before it."""

    append_ms: int
    before: tuple[int, int, int]
    entries: list[Entry]


class Partition:
    """The fold of one partition. ``rules`` gives a source's rules; they are asked for at look-up.

    ``time`` is the partition's own (a stall is no matter of one source). One thread applies,
    takes and asks.
    """

    def __init__(
        self,
        rules: Callable[[str], SourceRules],
        states: StateReader,
        meta: PartitionMeta | None = None,
        *,
        time: Time | None = None,
        resident: int = RESIDENT,
    ) -> None:
        # A new partition has applied nothing, not even a record at offset 0.
        meta = meta or PartitionMeta(applied=-1)
        self._time = time or Time()
        self._codec = Codec()
        self._reader = LineReader()
        self.clock_ms = meta.clock_ms
        self._hold_ms = meta.hold_until_ms
        self._last = meta.applied
        self._partitions = meta.partitions
        self._out = Collector(meta.clock_ms, meta.version)
        self._entries = Entries(rules, states, self._codec, resident)
        self._resident = resident
        self._wheel = Wheel()
        self._queues: dict[int, deque[_Batch]] = {}
        self._dirty: list[Entry] = []
        self._taken: list[Entry] = []
        self._routes = Routes(self._out)
        self._live = Live(self._entries, self._codec)
        self._start(states)

    def _start(self, states: StateReader) -> None:
        """Set every timer and count from the heads of the states at rest."""
        for key, data in states.items():
            head = head_of(data)
            if head.wake_s:
                self._wheel.add(head.wake_s, key.decode())
            if head.counted:
                source = key.partition(b"\x1f")[0].decode()
                self._live.count(source, head.active_s, head.counted, 1)

    # The clock, and one record

    def apply(self, record: LogRecord) -> list[Poison]:
        """Apply the next record; return its lines that are no canonical events.

        A record applied before (offset not greater than the last) changes nothing.
        """
        if record.offset <= self._last:
            return []
        before = (self._last, self.clock_ms, self._hold_ms)
        self._pass(record.append_ms)
        events, poisons = self._reader.read(record)
        touched = self._admit(events, record, poisons)
        if touched:
            self._enqueue(touched, record.append_ms, before)
        self._last = record.offset
        self._settle()
        self._fire()
        return poisons

    def _pass(self, append_ms: int) -> None:
        """Move the clock; a hole in the append times is a stall (DESIGN, *The log*)."""
        hole = append_ms - self.clock_ms
        if hole <= 0:
            return
        time = self._time
        if self.clock_ms and hole > time.stall_ms:
            hold = append_ms + min(max(hole, time.hold_min_ms), time.hold_max_ms)
            self._hold_ms = max(self._hold_ms, hold)
        self.clock_ms = self._out.clock_ms = append_ms

    def _admit(  # noqa: C901  one loop: a call an event would cost more than it tells
        self, events: list[Event], record: LogRecord, poisons: list[Poison]
    ) -> list[Entry]:
        """Admit events to their visitors; return the visitors that have something new to wait."""
        append_ms = record.append_ms
        young, get, rank_of = self._entries.young.get, self._entries.get, RANK.get
        touched: list[Entry] = []
        for place, event in enumerate(events):
            address = event.to or event.visitor_id or address_of(event)
            rank = rank_of(event.type, OTHERS)
            if rank < 0 or not (event.source and event.event_id and address and event.ts_ms > 0):
                self._admit_odd(event, record, place, poisons)
                continue
            if event.ts_ms > append_ms:
                event = not_after(event, append_ms)  # noqa: PLW2901  the same event, its time mended
            source = event.source
            key = f"{source}\x1f{address}"
            entry = young(key) or get(key, source, address)
            state = entry.state
            digest = xxh3_64_digest(event.event_id.encode())
            if digest in entry.pending or (digest in state.hashes and holds(state.hashes, digest)):
                continue
            ts_ms = event.ts_ms
            item: Waiting = (ts_ms, rank, event.event_id, append_ms, digest, event)
            if event.user_id or event.cart_id or event.order_id:
                self._reach(entry, event)
            if not entry.live_dirty:
                self._live.touch(entry)
            if ts_ms <= state.frontier_ms and _before(item, entry):
                self._late(entry, item)
                continue
            if append_ms - ts_ms > entry.grace_ms:
                self._lag(entry, item)
            waiting = entry.waiting
            if entry.last_append != append_ms or not waiting:
                entry.last_append = append_ms
                touched.append(entry)
            entry.pending.add(digest)
            if waiting and item < waiting[-1]:
                insort(waiting, item)
                entry.mixed = True
            else:
                waiting.append(item)
        return touched

    def _admit_odd(
        self, event: Event, record: LogRecord, place: int, poisons: list[Poison]
    ) -> None:
        """Take a tick (nothing to do), a link, or a line that cannot be folded."""
        reason = wrong(event)
        if reason:
            poisons.append(poisoned(record, place, reason))
        elif event.type == "__link":
            entry = self._entries.get(f"{event.source}\x1f{event.to}", event.source, event.to)
            self._routes.take_link(entry, event, self.clock_ms)
            self._changed(entry)
            self._schedule(entry)

    def _reach(self, entry: Entry, event: Event) -> None:
        """Send on receipt what the event's ids ask for (DESIGN, *Links*)."""
        ids = (event.user_id, event.cart_id, event.order_id, event.ts_ms // DAY)
        if ids == entry.linked and event.type != "purchase":
            return
        if not event.to:
            entry.linked = ids
        if self._routes.send(entry, event, self.clock_ms):
            self._changed(entry)

    def _late(self, entry: Entry, item: Waiting) -> None:
        """Note an event that sorts before the frontier; an order acts on carts at once."""
        event = item[5]
        order = event.type == "purchase"
        if order:
            late_order(entry.state, item, entry.rules, self._out)
        remember(entry.state, item[4])
        self._changed(entry)
        self._schedule(entry)
        self._flag(entry, event, "late_order" if order else "late")

    def _lag(self, entry: Entry, item: Waiting) -> None:
        """Hold absence back from a visitor whose events come late, and note one quite unknown."""
        time, state, event = entry.rules.policy.time, entry.state, item[5]
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

    # What is due

    def _enqueue(self, touched: list[Entry], append_ms: int, before: tuple[int, int, int]) -> None:
        """Line the record's visitors up to settle, by the grace of their source."""
        groups: dict[int, list[Entry]] = {}
        for entry in touched:
            groups.setdefault(entry.grace_ms, []).append(entry)
        for grace_ms, entries in groups.items():
            queue = self._queues.setdefault(grace_ms, deque())
            queue.append(_Batch(append_ms, before, entries))

    def _settle(self) -> None:
        """Fold what has waited for its grace, and what waits and sorts before it."""
        for grace_ms, queue in self._queues.items():
            limit = self.clock_ms - grace_ms
            while queue and queue[0].append_ms <= limit:
                for entry in queue.popleft().entries:
                    if entry.waiting:
                        self._settle_entry(entry, limit)

    def _settle_entry(self, entry: Entry, limit: int) -> None:
        run = entry.waiting
        if entry.last_append <= limit:
            entry.waiting = []
            entry.pending.clear()
            entry.mixed = False
        else:
            count = _last_settled(run, limit) if entry.mixed else _first_unsettled(run, limit)
            if not count:
                return
            run, entry.waiting = run[:count], run[count:]
            entry.pending.difference_update([item[4] for item in run])
        state = entry.state
        visitor = state.visitor or meet(state, entry.source, entry.address)
        fold_run(state, run, entry.rules, self._out)
        state.seen_ms = entry.last_append
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry)
        if not state.emit_ms:
            state.emit_ms = self.clock_ms + entry.rules.policy.time.emit_every_ms
            self._schedule(entry)
        elif visitor.due_ms != entry.deadline or entry.wake_s <= self.clock_ms // 1000:
            self._schedule(entry)

    def _fire(self) -> None:
        """Look at every state whose time has come."""
        clock_s = self.clock_ms // 1000
        for key in self._wheel.due(self.clock_ms):
            entry = self._entries.by_key(key)
            if entry.wake_s <= clock_s:
                entry.wake_s = 0
                self._look(entry)
                self._schedule(entry)

    def _look(self, entry: Entry) -> None:
        """Do what is due at one state: deadlines, rows of what is open, forgetting."""
        state, clock_ms = entry.state, self.clock_ms
        absent = not entry.waiting and clock_ms >= max(self._hold_ms, state.hold_ms)
        if absent and pass_time(state, clock_ms - entry.grace_ms, entry.rules, self._out):
            self._changed(entry)
        if state.emit_ms and state.emit_ms <= clock_ms:
            state.emit_ms = 0
            if state.visitor is not None:
                machine.emit_open(state.visitor, entry.rules, self._out)
            self._changed(entry)
        if not entry.waiting and forget(state, clock_ms, entry.rules.policy):
            self._changed(entry)

    def _schedule(self, entry: Entry) -> None:
        """Have the state looked at when something is next due, unless that is sooner already."""
        due_ms = self._due(entry)
        if not due_ms:
            return
        second, clock_s = due_ms // 1000, self.clock_ms // 1000
        if clock_s < entry.wake_s <= second:
            return
        entry.wake_s = second
        if second <= clock_s:
            self._wheel.add_soon(max(due_ms, self.clock_ms), entry.key)
        else:
            self._wheel.add(second, entry.key)

    def _due(self, entry: Entry) -> int:
        """Return when the state must be looked at next, 0 for never.

        ``Visitor.due_ms`` is never later than the next deadline, so a slot chosen for it serves
        until it changes; once it has passed, the deadline is worked out.
        """
        state, policy = entry.state, entry.rules.policy
        if entry.waiting and not entry.wake_s:
            entry.deadline = UNKNOWN
            return state.emit_ms
        visitor, alias = state.visitor, state.alias
        deadline: int | None = NEVER if visitor is None else visitor.due_ms
        if visitor is not None and deadline <= self.clock_ms - entry.grace_ms:
            entry.deadline = UNKNOWN
            deadline = machine.next_deadline(visitor, entry.rules)
        else:
            entry.deadline = deadline
        if deadline is None or deadline >= NEVER:
            due_ms = forgotten_ms(state, policy)
        else:
            due_ms = max(deadline + entry.grace_ms + 1, state.hold_ms, self._hold_ms)
        if state.emit_ms and (state.emit_ms < due_ms or not due_ms):
            due_ms = state.emit_ms
        if alias is not None:
            expires_ms = expires_day(alias, policy.links) * DAY
            due_ms = min(due_ms, expires_ms) if due_ms else expires_ms
        return due_ms

    def _changed(self, entry: Entry) -> None:
        """Note that the state must be stored and its live view counted anew."""
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry)
        if not entry.live_dirty:
            self._live.touch(entry)

    # Effects

    def take(self) -> Changes:
        """Return all that changed since the last take, as one transaction to store."""
        states: dict[bytes, bytes | None] = {}
        for entry in self._dirty:
            states[entry.key.encode()] = self._encode(entry)
            entry.dirty = False
            entry.busy = True
        self._taken += self._dirty
        self._dirty = []
        rows = self._out.take()
        return Changes(self._meta(), states, rows, self._routes.take())

    def _encode(self, entry: Entry) -> bytes | None:
        state = entry.state
        second, counted = settled_view(state)
        if not entry.waiting:
            self._live.settle(entry, second, counted)
        if state.visitor is None and state.alias is None:
            return None
        return self._codec.encode(state, Head(entry.wake_s, second, counted))

    def _meta(self) -> PartitionMeta:
        """Return where to read on, with clock and hold as of then.

        The states may be ahead of that record. Until the clock has come back to where they were
        left, absence decides nothing: what is read again may include what then held it back.
        """
        heads = [queue[0].before for queue in self._queues.values() if queue]
        applied, clock_ms, hold_ms = min(heads, default=(self._last, self.clock_ms, self._hold_ms))
        if clock_ms < self.clock_ms:
            hold_ms = max(hold_ms, self.clock_ms)
        version = self._out.last_version
        return PartitionMeta(applied, clock_ms, hold_ms, version, self._partitions)

    def committed(self) -> None:
        """Let go of what was taken: it is in the state store now."""
        for entry in self._taken:
            entry.busy = False
        self._taken = []
        self._live.trim(self._resident)
        self._entries.shrink()

    @property
    def applied(self) -> int:
        """The newest record all of whose events have settled."""
        return self._meta().applied

    # Now

    def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state in the API's shape, None for one never seen."""
        return self._live.visitor(source, visitor_id)

    def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the clock, by current stage."""
        return self._live.visitors(source, self.clock_ms)

    def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return self._live.open_carts(source)

    def live_signals(self) -> list[SignalRow]:
        """Return the signals that waiting events would emit; none of them is final."""
        return self._live.signals()


def _before(item: Waiting, entry: Entry) -> bool:
    """Tell whether an event sorts before the frontier."""
    state = entry.state
    return item[:3] < (state.frontier_ms, state.frontier_rank, state.frontier_id)


def _first_unsettled(waiting: list[Waiting], limit: int) -> int:
    """Return how many of the waiting are folded, where append times grow and the last waits on."""
    count = 0
    while waiting[count][3] <= limit:
        count += 1
    return count


def _last_settled(waiting: list[Waiting], limit: int) -> int:
    """Return how many of the waiting are folded: up to the last of those whose grace is over."""
    for place in range(len(waiting) - 1, -1, -1):
        if waiting[place][3] <= limit:
            return place + 1
    return 0
