"""The live view: the fold of settled and waiting events, on a copy, and the counts of *now*.

DESIGN, *The fold* 5. Counts are kept by second and stage, and mended only for the visitors touched
since they were last asked for, so that a million visitors cost no more than those that moved.
"""

from typing import Any

from msgspec.structs import replace

from schemas.rows import STAGES, CartRow, SignalRow
from schemas.spans import MINUTE_MS
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.codec import Codec, Head, State
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import Entries, Entry
from services.sessionizer.core.folding import fold_run, meet
from services.sessionizer.core.preview import plain
from services.sessionizer.core.state import MACHINE, OPEN, Session

LIVE_MS = 30 * MINUTE_MS
"""A visitor is live for so long after the last active event."""

UNSTAGED = "unstaged"
"""Live visitors whose open session has touched no stage yet."""

# What a state counts as: the stage's place from 1 (0: none) in the low bits, and two marks.
_STAGE = 7
_PERSON = 8
_CART = 16

_MANY = 3 * LIVE_MS // 1000
"""Seconds kept at most where nobody asks."""


def settled_view(state: State) -> tuple[int, int]:
    """Return the second of the last active event (0: none) and what the state counts as."""
    visitor = state.visitor
    if visitor is None:
        return 0, 0
    session, cart = visitor.session, visitor.cart
    if session is None:
        return visitor.active_ms // 1000, _PERSON | (_CART if cart and not cart.outcome else 0)
    counted = session.current + 1
    if not _staff_or_machine(session):
        counted |= _PERSON
    if cart is not None and cart.outcome == OPEN:
        counted |= _CART
    return session.last_ms // 1000, counted


def _staff_or_machine(session: Session) -> bool:
    dims = session.dims
    return dims.bot or dims.test or dims.excluded or bool(session.marks & MACHINE)


class Counts:
    """Live visitors by second of their last active event, and open carts, of one source."""

    __slots__ = ("carts", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[int, list[int]] = {}
        self.carts = 0

    def add(self, second: int, counted: int, by: int) -> None:
        """Count a state in (1) or out (-1)."""
        if not counted & _PERSON:
            return
        if counted & _CART:
            self.carts += by
        if not second:
            return
        stages = self.seconds.get(second)
        if stages is None:
            stages = self.seconds[second] = [0] * (len(STAGES) + 1)
            if len(self.seconds) > _MANY:
                self.since(max(self.seconds) - LIVE_MS // 1000)
        stages[counted & _STAGE] += by

    def since(self, second: int) -> list[int]:
        """Return how many are counted after a second, by stage; forget those before."""
        self.seconds = {at: stages for at, stages in self.seconds.items() if at > second}
        return [sum(column) for column in zip(*self.seconds.values(), strict=True)]


class Live:
    """What can be asked of a partition about now."""

    def __init__(self, entries: Entries, codec: Codec, out: Collector) -> None:
        """Tell what these entries hold, and of carts that ended what went out last."""
        self._entries = entries
        self._codec = codec
        self._out = out
        self._sources: dict[str, Counts] = {}

    def count(self, source: str, second: int, counted: int, by: int) -> None:
        """Count a state at rest in or out."""
        counts = self._sources.get(source)
        if counts is None:
            counts = self._sources[source] = Counts()
        counts.add(second, counted, by)

    def settle(self, entry: Entry, second: int, counted: int) -> None:
        """Let the counts hold the entry as given."""
        entry.live_dirty = False
        if second != entry.live_s or counted != entry.counted:
            self.count(entry.source, entry.live_s, entry.counted, -1)
            self.count(entry.source, second, counted, 1)
            entry.live_s, entry.counted = second, counted

    def refresh(self) -> None:
        """Count anew the entries touched since."""
        for entry in self._entries.touched:
            if entry.live_dirty:
                self.settle(entry, *settled_view(self.state(entry)))
        self._entries.touched = []

    def state(self, entry: Entry) -> State:
        """Return the entry's state with what waits folded in; not to be changed."""
        if not entry.waiting:
            return entry.state
        return self._ahead(entry)[0]

    def _ahead(self, entry: Entry) -> tuple[State, Collector]:
        """Return a copy of the state with what waits folded in, and what that would emit."""
        state = self._codec.copy(entry.state)
        meet(state, entry.source, entry.address)
        out = Collector(entry.last_append)
        fold_run(state, entry.waiting, entry.rules, out)
        return state, out

    def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state in the API's shape, None for one never seen."""
        entry = self._entries.peek(source, visitor_id)
        visitor = None if entry is None else self.state(entry).visitor
        return None if entry is None or visitor is None else plain(visitor, entry.rules)

    def cart(self, source: str, visitor_id: str, cart_id: str) -> CartRow | None:
        """Return a visitor's episode as it stands now, None for one not remembered.

        One that has ended is told as it was emitted, or would be once what waits has settled.
        """
        entry = self._entries.peek(source, visitor_id)
        if entry is not None and entry.waiting:
            state, ahead = self._ahead(entry)
        else:
            state, ahead = entry.state if entry is not None else State(), self._out
        visitor = state.visitor
        now = machine.live_cart(visitor, cart_id, entry.rules) if entry and visitor else None
        row = now or ahead.carts.get(cart_id)
        row = row or self._out.carts.get(cart_id) or self._out.ended.get(cart_id)
        own = row is not None and (row.source, row.visitor_id) == (source, visitor_id)
        return row if own else None

    def encoded(self, source: str, address: str) -> bytes | None:
        """Return the bytes of a state with what waits folded in."""
        entry = self._entries.peek(source, address)
        if entry is None:
            return None
        state = self.state(entry)
        if state.visitor is None and state.alias is None:
            return None
        return self._codec.encode(state, Head(0, 0, 0))

    def unsettled(self, source: str, address: str) -> bytes | None:
        """Return the bytes of a state and of what waits for it: what a preview builds on."""
        entry = self._entries.peek(source, address)
        if entry is None:
            return None
        # With the ids of what waits, so that a preview knows a repeat of any of it.
        state = replace(entry.state, hashes=entry.known)
        return self._codec.encode_unsettled(state, [item[4] for item in entry.waiting])

    def visitors(self, source: str, clock_ms: int) -> dict[str, int]:
        """Return live visitors by current stage, bots, tests and staff left out."""
        self.refresh()
        counts = self._sources.get(source)
        if counts is None:
            return dict.fromkeys((*STAGES, UNSTAGED), 0)
        found = counts.since((clock_ms - LIVE_MS) // 1000) or [0] * (len(STAGES) + 1)
        return {**dict(zip(STAGES, found[1:], strict=True)), UNSTAGED: found[0]}

    def open_carts(self, source: str) -> int:
        """Return how many episodes are open."""
        self.refresh()
        counts = self._sources.get(source)
        return counts.carts if counts is not None else 0

    def signals(self) -> list[SignalRow]:
        """Return the signals that what waits would emit, by time; none of them is final."""
        found: dict[str, SignalRow] = {}
        for entry in self._entries:
            if entry.waiting:
                found.update(self._ahead(entry)[1].signals)
        return sorted(found.values(), key=lambda row: (row.at_ms, row.signal_id))
