"""One partition of the log: records in, changes out.

DESIGN, *The log* and *The fold*. Pure: bytes and times are arguments. For each record: the clock
first, then its events are admitted, then what is due is done. A shell stores ``take()`` in one
transaction and then says ``committed()``; whatever fails after folding began ends the process.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from schemas.event import Event
from schemas.rows import CartRow, SignalRow
from services.common.ports import Changes, LogRecord, PartitionMeta, StateReader
from services.sessionizer.core.admission import LineReader, Poison, Waiting, sent_on
from services.sessionizer.core.codec import Codec, Head, head_of
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import (
    KEPT,
    Elsewhere,
    Entries,
    Entry,
    Place,
    nowhere_else,
)
from services.sessionizer.core.erasure import Left, strike
from services.sessionizer.core.folding import meet
from services.sessionizer.core.intake import Intake, Tally
from services.sessionizer.core.live import Live, settled_view
from services.sessionizer.core.logclock import LogClock
from services.sessionizer.core.policy import Rules, Time
from services.sessionizer.core.routes import Routes
from services.sessionizer.core.schedule import Schedule
from services.sessionizer.core.visitor import fold

RESIDENT = 16_384
"""How many decoded states one generation of the overlay holds."""


class _Batch(NamedTuple):
    """The visitors that a record touched, and offset, clock and hold before it."""

    append_ms: int
    before: Place
    entries: list[Entry]


class Partition:
    """The fold of one partition. ``rules`` gives a source's rules; they are asked for at look-up.

    ``time`` is the partition's own (a stall is no matter of one source). ``elsewhere`` says why an
    address is none of this partition's, empty where it is. One thread applies, takes and asks.
    """

    def __init__(
        self,
        rules: Rules,
        states: StateReader,
        meta: PartitionMeta | None = None,
        *,
        time: Time | None = None,
        elsewhere: Elsewhere = nowhere_else,
        resident: int = RESIDENT,
    ) -> None:
        # A new partition has applied nothing, not even a record at offset 0.
        meta = meta or PartitionMeta(applied=-1)
        self._last = meta.applied
        self._partitions = meta.partitions
        self._resident = resident
        self._reader = LineReader()
        self._codec = Codec()
        self._clock = LogClock(meta.clock_ms, meta.hold_until_ms, time or Time())
        self._out = Collector(meta.clock_ms, meta.version)
        self._entries = Entries(rules, states, self._codec, resident, elsewhere)
        self._routes = Routes(self._out)
        self._schedule = Schedule(self._entries, self._clock, self._out)
        self.tally = Tally()
        self._intake = Intake(
            self._entries, self._clock, self._out, self._routes, self._schedule, self.tally
        )
        self._live = Live(self._entries, self._codec, self._out)
        self._queues: dict[int, deque[_Batch]] = {}
        self._taken: list[Entry] = []
        self._start(states)

    def _start(self, states: StateReader) -> None:
        """Set every timer and count from the heads of the states at rest."""
        start, count = self._schedule.start, self._live.count
        for key, data in states.items():
            wake_s, active_s, counted = head_of(data)
            if wake_s:
                start(key, wake_s)
            if counted:
                count(key.partition(b"\x1f")[0].decode(), active_s, counted, 1)

    @property
    def clock_ms(self) -> int:
        """The log's clock: the greatest append time of a record that lets time pass."""
        return self._clock.clock_ms

    def apply(self, record: LogRecord, most: int | None = None) -> list[Poison]:
        """Apply the next record; return its lines that are no canonical events.

        A record applied before (offset not greater than the last) changes nothing. With ``most``
        so many states are looked at whose time has come; while ``more_due``, ``fire`` looks at
        others, and the next record is applied after them all. A transaction may come in between:
        what is due then still is after a restart, and its own time decides what is told.
        """
        if record.offset <= self._last:
            return []
        if self._schedule.more:
            self._schedule.fire()
        before = (self._last, self._clock.clock_ms, self._clock.hold_ms)
        events, poisons = self._reader.read(record)
        if poisons or not sent_on(events):
            self._clock.move(record.append_ms)
            self._out.move(self._clock.clock_ms)
        touched = self._intake.admit(events, record, poisons)
        if touched:
            self._enqueue(touched, record.append_ms, before)
        self.tally.poison += len(poisons)
        self._last = record.offset
        self._settle()
        self._schedule.fire(most)
        return poisons

    @property
    def more_due(self) -> bool:
        """Tell whether states of the last record's time are still to be looked at."""
        return self._schedule.more

    def fire(self, most: int | None = None) -> None:
        """Look at the next of them."""
        if self._schedule.more:
            self._schedule.fire(most)

    def _enqueue(self, touched: list[Entry], append_ms: int, before: Place) -> None:
        """Line the record's visitors up to settle, by the grace of their source."""
        graces = {entry.grace_ms for entry in touched}  # mostly one
        for grace_ms in graces:
            entries = touched
            if len(graces) > 1:
                entries = [entry for entry in touched if entry.grace_ms == grace_ms]
            queue = self._queues.setdefault(grace_ms, deque())
            queue.append(_Batch(append_ms, before, entries))

    def _settle(self) -> None:
        """Fold what has waited for its grace, and what waits and sorts before it."""
        for grace_ms, queue in self._queues.items():
            limit = self._clock.clock_ms - grace_ms
            while queue and queue[0].append_ms <= limit:
                batch = queue.popleft()
                for entry in batch.entries:
                    if entry.waiting:
                        self._settle_entry(entry, limit, batch.before)

    # One straight path, as the fold's: it is walked for nearly every event.
    def _settle_entry(  # noqa: C901, PLR0912
        self, entry: Entry, limit: int, before: Place
    ) -> None:
        waiting, state = entry.waiting, entry.state
        ready = 0
        if entry.mixed:
            ready = _ready(waiting, limit)
        else:
            for item in waiting:
                if item[3] > limit:
                    break
                ready += 1
        if not ready:
            return
        visitor = state.visitor or meet(state, entry.source, entry.address)
        rules, out = entry.rules, self._out
        said = out.last_version
        for item in waiting[:ready]:
            fold(visitor, item[4], rules, out)
        state.frontier = item[:3]
        del waiting[:ready]
        if not waiting:
            entry.mixed = False
        if len(entry.known) > KEPT:
            entry.shorten()
        self.tally.folded += ready
        clock_ms, told = self._clock.clock_ms, state.told
        opening = not state.emit_ms or (told and state.emit_ms <= clock_ms)
        if opening:
            self._schedule.emit(entry, visitor)
        elif told:
            state.told = False
        if out.last_version != said:
            self._entries.mark(entry)
        elif not entry.dirty:
            self._entries.owe(entry, before)
        due = visitor.due_ms != entry.deadline or entry.wake_s <= clock_ms // 1000
        if due or told or opening:
            self._schedule.put(entry)

    # -- effects

    def take(self) -> Changes:
        """Return all that changed since the last take, as one transaction to store."""
        states: dict[bytes, bytes | None] = {}
        dirty = self._entries.take(self._clock.clock_ms)
        for entry in dirty:
            states[entry.key.encode()] = self._encode(entry)
        self._taken += dirty
        rows = self._out.take()
        return Changes(self._meta(), states, rows, self._routes.take())

    def _encode(self, entry: Entry) -> bytes | None:
        state = entry.state
        second, counted = settled_view(state)
        if not entry.waiting:
            self._live.settle(entry, second, counted)
        if state.visitor is None and state.alias is None and not (state.sent or state.forgot):
            return None
        return self._codec.encode(entry.put_down(), Head(entry.wake_s, second, counted))

    def _meta(self) -> PartitionMeta:
        """Return where to read on, with clock and hold as of then.

        The states may be ahead of that record. Until the clock has come back to where they were
        left, absence decides nothing: what is read again may include what then held it back.
        """
        heads = [queue[0].before for queue in self._queues.values() if queue]
        heads += self._entries.owed()
        applied, clock_ms, hold_ms = min(
            heads, default=(self._last, self._clock.clock_ms, self._clock.hold_ms)
        )
        if clock_ms < self._clock.clock_ms:
            hold_ms = max(hold_ms, self._clock.clock_ms)
        version = self._out.last_version
        return PartitionMeta(applied, clock_ms, hold_ms, version, self._partitions)

    def committed(self) -> None:
        """Let go of what was taken: it is in the state store now."""
        for entry in self._taken:
            entry.busy = False
        self._taken = []
        self._entries.trim(self._resident)
        self._entries.shrink()

    def strike(self, keys: Iterable[str], left: Left, gone: Callable[[Event], bool]) -> int:
        """Change some states, and drop what waits and is gone; return how many states changed.

        ``keys`` are UTF-8 source, 0x1F, address. What changed is stored with the next take.
        """
        self._out.ended.clear()
        changed = strike(self._entries, self._codec, keys, left, gone)
        for entry in self._entries:
            if not (entry.wake_s or entry.waiting):
                self._schedule.wake(entry)
        return changed

    @property
    def applied(self) -> int:
        """The newest record all of whose events have settled, and are stored with the next take."""
        return self._meta().applied

    # -- now

    def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state in the API's shape, None for one never seen."""
        return self._live.visitor(source, visitor_id)

    def live_cart(self, source: str, visitor_id: str, cart_id: str) -> CartRow | None:
        """Return a visitor's cart as it stands now, None for one not remembered."""
        return self._live.cart(source, visitor_id, cart_id)

    def live_state(self, source: str, address: str) -> bytes | None:
        """Return the encoded state of an address with what waits folded in, None for none."""
        return self._live.encoded(source, address)

    def unsettled(self, source: str, address: str) -> bytes | None:
        """Return an address's encoded state with what waits beside it, None for none."""
        return self._live.unsettled(source, address)

    def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the clock, by current stage."""
        return self._live.visitors(source, self._clock.clock_ms)

    def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return self._live.open_carts(source)

    def live_signals(self) -> list[SignalRow]:
        """Return the signals that waiting events would emit; none of them is final."""
        return self._live.signals()


def _ready(waiting: list[Waiting], limit: int) -> int:
    """Return how many of the waiting are to be folded: up to the last whose grace is over.

    Where append times grow along them that is told from the front; here they do not.
    """
    for place in range(len(waiting), 0, -1):
        if waiting[place - 1][3] <= limit:
            return place
    return 0
