"""What is due without an event: deadlines, rows of what is open, forgetting.

DESIGN, *The fold* 2 and 5. Every state with something to come stands in the wheel; when its time
comes it is looked at, and put back where it then belongs.
"""

from itertools import islice

from schemas.spans import DAY_MS
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import UNKNOWN, Entries, Entry
from services.sessionizer.core.folding import pass_time
from services.sessionizer.core.lifetime import forget, forgotten_ms
from services.sessionizer.core.links import expires_day
from services.sessionizer.core.logclock import LogClock
from services.sessionizer.core.state import NEVER, Visitor
from services.sessionizer.core.timers import Wheel

SLICE = 500
"""States a shell has looked at in one go, so that it can answer, store and breathe in between.

After a stall the deadlines of all who were there meanwhile fall due in the same second.
"""


class Schedule:
    """The timers of a partition's states. ``more`` while some are due that were not looked at."""

    def __init__(self, entries: Entries, clock: LogClock, out: Collector) -> None:
        self._entries = entries
        self._clock = clock
        self._out = out
        self._wheel = Wheel()
        self._due_now = self._wheel.due(0)
        self.more = False

    def start(self, key: bytes, wake_s: int) -> None:
        """Put a state at rest where it stood."""
        self._wheel.add_bytes(wake_s, key)

    def fire(self, most: int | None = None) -> None:
        """Look at every state whose time has come, or at so many; at the rest with the next."""
        clock_s = self._clock.clock_ms // 1000
        if not self.more:
            self._due_now = self._wheel.due(self._clock.clock_ms)
        looked = 0
        for key in islice(self._due_now, most):
            looked += 1
            entry = self._entries.by_key(key)
            if entry.wake_s <= clock_s:
                entry.wake_s = 0
                self._look(entry)
                self.put(entry)
        self.more = looked == most

    def _look(self, entry: Entry) -> None:
        """Do what is due at one state: deadlines, rows of what is open, forgetting."""
        state, clock = entry.state, self._clock
        absent = not entry.waiting and clock.clock_ms >= max(clock.hold_ms, state.hold_ms)
        if absent and pass_time(state, clock.clock_ms - entry.grace_ms, entry.rules, self._out):
            self._entries.changed(entry)
        if state.emit_ms and not state.told and state.emit_ms <= clock.clock_ms:
            if state.visitor is None:
                state.emit_ms = 0
            else:
                self.emit(entry, state.visitor)
                self._entries.mark(entry)
        if not entry.waiting and forget(entry.put_down(), clock.clock_ms, entry.rules.policy):
            entry.hold(state)
            self._entries.changed(entry)

    def emit(self, entry: Entry, visitor: Visitor) -> None:
        """Emit the rows of what is open, and not again for a minute, nor if nothing changes.

        A state that has told all is not looked at for its rows: at rest it would be found due at
        every start. What changes it has it looked at again.
        """
        state = entry.state
        machine.emit_open(visitor, entry.rules, self._out)
        state.emit_ms = self._clock.clock_ms + entry.rules.policy.time.emit_every_ms
        state.told = True

    def put(self, entry: Entry) -> None:
        """Have the state looked at when something is next due, unless that is sooner already.

        Rows are due sooner than deadlines, once a minute: the slot left for them is come back to,
        or the wheel would hold one more for each minute of a visit.
        """
        due_ms = self._due(entry)
        if not due_ms:
            return
        clock_ms = self._clock.clock_ms
        second, clock_s = due_ms // 1000, clock_ms // 1000
        if clock_s < entry.wake_s <= second:
            return
        if clock_s < entry.wake_s:
            entry.later_s = entry.wake_s
        elif clock_s < entry.later_s <= second:
            entry.wake_s = entry.later_s
            return
        entry.wake_s = second
        if second <= clock_s:
            self._wheel.add_soon(max(due_ms, clock_ms), entry.key)
        else:
            self._wheel.add(second, entry.key)

    def wake(self, entry: Entry) -> None:
        """Put a state back that stands nowhere, for what held its end back waits no longer."""
        self.put(entry)
        if entry.wake_s:
            self._entries.changed(entry)

    def _due(self, entry: Entry) -> int:
        """Return when the state must be looked at next, 0 for never."""
        state, policy = entry.state, entry.rules.policy
        rows_ms = 0 if state.told else state.emit_ms
        if entry.waiting and not entry.wake_s:
            entry.deadline = UNKNOWN
            return rows_ms
        visitor, alias = state.visitor, state.alias
        deadline = NEVER if visitor is None else self._deadline(entry, visitor)
        if deadline >= NEVER:
            due_ms = forgotten_ms(entry.put_down(), policy)
        else:
            due_ms = max(deadline + entry.grace_ms + 1, state.hold_ms, self._clock.hold_ms)
        if rows_ms and (rows_ms < due_ms or not due_ms):
            due_ms = rows_ms
        if alias is not None:
            expires_ms = expires_day(alias, policy.links) * DAY_MS
            due_ms = min(due_ms, expires_ms) if due_ms else expires_ms
        return due_ms

    def _deadline(self, entry: Entry, visitor: Visitor) -> int:
        """Return a time not later than the visitor's next deadline, and not yet over.

        ``Visitor.due_ms`` is such a time, so that a slot chosen for it serves until it changes;
        once it has passed, the deadline is worked out.
        """
        deadline = entry.deadline = visitor.due_ms
        if deadline <= self._clock.clock_ms - entry.grace_ms:
            entry.deadline = UNKNOWN
            found = machine.next_deadline(visitor, entry.rules)
            return NEVER if found is None else found
        return deadline
