"""The overlay: states decoded while they are busy, at rest as bytes in the state store.

Two generations make the least-recently-used rule cheap: what is looked up moves to the young one;
when that is full, the old one goes, but for what still waits, changed, or is being committed.
"""

from collections.abc import Callable, Iterator

from xxhash import xxh3_64_digest

from schemas.event import RESERVED
from services.common.ports import StateReader
from services.sessionizer.core.admission import Waiting
from services.sessionizer.core.codec import HASH, HASHES, Codec, State, head_of
from services.sessionizer.core.policy import Rules, SourceRules

UNKNOWN = -1
DEFERRED_MS = 60_000
"""How far the log's clock may be past what a state at rest has seen, while more waits for it."""

Place = tuple[int, int, int]
"""Offset, clock and hold as of a record."""

Elsewhere = Callable[[str, str], str]
"""Source and address to why nothing of it can be folded here, empty where it can."""


def nowhere_else(_source: str, _address: str) -> str:
    """Know no other partition."""
    return ""


KEPT = HASHES * HASH
"""Bytes of the hashes kept of one visitor's events."""


class Entry:
    """A state in memory with what waits to be folded into it.

    ``waiting`` is in fold order; ``mixed`` tells whether append times may go back along it.
    ``known`` holds the id hashes of what was folded and of what waits, 8 bytes each, as they came.
    ``wake_s`` is the slot of the wheel in which the key stands, 0 for none, ``deadline`` what the
    slot was chosen for, and ``later_s`` a later slot left for a sooner one. ``linked`` holds the
    ids and day that were linked last. ``live_s`` and ``counted`` are what the live counts hold of
    it. ``owed`` is the place before the oldest record of which something was folded that is not
    stored, None for none; ``must`` tells that the state is to be stored at the next chance,
    ``reserved`` that no visitor may call itself by the address,
    and ``elsewhere`` why nothing of it can be folded here.

    A plain class, for its fields are written at every event: a struct's cost five times as much.
    """

    __slots__ = (
        "address",
        "busy",
        "counted",
        "deadline",
        "dirty",
        "elsewhere",
        "grace_ms",
        "key",
        "known",
        "last_append",
        "later_s",
        "linked",
        "live_dirty",
        "live_s",
        "mixed",
        "must",
        "owed",
        "reserved",
        "rules",
        "source",
        "state",
        "waiting",
        "wake_s",
    )

    def __init__(self, key: str, source: str, address: str, rules: SourceRules) -> None:
        self.key = key
        self.source = source
        self.address = address
        self.rules = rules
        self.grace_ms = rules.policy.time.grace_ms
        self.state = State()
        self.waiting: list[Waiting] = []
        self.known = b""
        self.mixed = False
        self.last_append = 0
        self.wake_s = 0
        self.later_s = 0
        self.deadline = UNKNOWN
        self.linked: tuple[str, str, str, int] | None = None
        self.dirty = False
        self.busy = False
        self.must = False
        self.reserved = address.startswith(RESERVED)
        self.elsewhere = ""
        self.owed: Place | None = None
        self.live_s = 0
        self.counted = 0
        self.live_dirty = False

    def hold(self, state: State) -> None:
        """Take a state up; what the entry holds of it is the truth until it is put down."""
        self.state = state
        self.known = state.hashes
        self.last_append = state.seen_ms

    def put_down(self) -> State:
        """Return the state with what the entry held of it: what waits is no part of that."""
        state, known = self.state, self.known
        if self.waiting:
            known = _without(known, self.waiting, in_order=not self.mixed)
        state.hashes = known[-KEPT:] if len(known) > KEPT else known
        state.seen_ms = self.last_append
        return state

    def remember(self, digest: bytes) -> None:
        """Know an event again that is not to wait."""
        self.known += digest
        self.mixed = self.mixed or bool(self.waiting)

    def shorten(self) -> None:
        """Forget the oldest hashes beyond the newest that are kept."""
        self.known = self.known[-KEPT - HASH * len(self.waiting) :]

    @property
    def keeps(self) -> bool:
        """Tell whether the entry must stay in memory."""
        return bool(self.waiting) or self.dirty or self.busy


def _without(known: bytes, waiting: list[Waiting], *, in_order: bool) -> bytes:
    """Return the hashes without those of what waits, which are the last where all came in order."""
    if in_order:
        return known[: -HASH * len(waiting)]
    gone = {xxh3_64_digest(item[2].encode()) for item in waiting}
    every = [known[at : at + HASH] for at in range(0, len(known), HASH)]
    return b"".join([digest for digest in every if digest not in gone])


class Entries:
    """Entries by key, looked up in the overlay first, then in the states at rest."""

    def __init__(
        self,
        rules: Rules,
        states: StateReader,
        codec: Codec,
        limit: int,
        elsewhere: Elsewhere = nowhere_else,
    ) -> None:
        self._rules = rules
        self._states = states
        self._codec = codec
        self._limit = limit
        self._elsewhere = elsewhere
        self.young: dict[str, Entry] = {}
        self._old: dict[str, Entry] = {}
        self._dirty: list[Entry] = []
        self.touched: list[Entry] = []

    def get(self, key: str, source: str, address: str) -> Entry:
        """Return the entry of a key, a fresh one where nothing is known of it."""
        entry = self.young.get(key)
        if entry is None:
            entry = self._old.pop(key, None) or self._read(key, source, address)
            self.young[key] = entry
        return entry

    def peek(self, source: str, address: str) -> Entry | None:
        """Return the entry without keeping it, None where nothing is known of the address."""
        key = f"{source}\x1f{address}"
        entry = self.young.get(key) or self._old.get(key)
        if entry is not None:
            return entry
        return None if self._states.get(key.encode()) is None else self._read(key, source, address)

    def by_key(self, key: str) -> Entry:
        """Return the entry of a key alone."""
        source, _, address = key.partition("\x1f")
        return self.get(key, source, address)

    def _read(self, key: str, source: str, address: str) -> Entry:
        rules = self._rules(source)
        entry = Entry(key, source, address, rules)
        entry.elsewhere = self._elsewhere(source, address)
        data = self._states.get(key.encode())
        if data is not None:
            head = head_of(data)
            entry.hold(self._codec.decode(data, source, address))
            entry.wake_s, entry.live_s, entry.counted = head
        return entry

    def mark(self, entry: Entry) -> None:
        """Note that the entry's state must be stored."""
        entry.must = True
        if not entry.dirty:
            entry.dirty = True
            self._dirty.append(entry)

    def owe(self, entry: Entry, before: Place) -> None:
        """Note that an event was folded that said nothing: its state may be stored later."""
        if not entry.dirty:
            entry.dirty = True
            entry.owed = before
            self._dirty.append(entry)

    def touch(self, entry: Entry) -> None:
        """Note that the entry's live view may have changed."""
        if not entry.live_dirty:
            entry.live_dirty = True
            self.touched.append(entry)

    def changed(self, entry: Entry) -> None:
        """Note both."""
        self.mark(entry)
        self.touch(entry)

    def take(self, clock_ms: int) -> list[Entry]:
        """Return the entries to store now; they stay until committed.

        One that has said nothing, and of which more waits, is stored later: were it lost, its
        events would be read again and come to the same. So a visit is stored a few times, not at
        every event of it.
        """
        stored: list[Entry] = []
        kept: list[Entry] = []
        oldest = clock_ms - DEFERRED_MS
        for entry in self._dirty:
            owed = entry.owed
            if entry.must or not entry.waiting or owed is None or owed[1] <= oldest:
                entry.dirty = entry.must = False
                entry.busy = True
                entry.owed = None
                stored.append(entry)
            else:
                kept.append(entry)
        self._dirty = kept
        return stored

    def owed(self) -> list[Place]:
        """Return the places from which what is not stored must be read again."""
        return [entry.owed for entry in self._dirty if entry.owed is not None]

    def trim(self, limit: int) -> None:
        """Forget the touched that have been counted since, where the list grows long."""
        if len(self.touched) > limit:
            self.touched = [entry for entry in self.touched if entry.live_dirty]

    def __iter__(self) -> Iterator[Entry]:
        yield from self.young.values()
        yield from self._old.values()

    def shrink(self) -> None:
        """Let go of entries not looked up lately, where there are more than the limit."""
        if len(self.young) <= self._limit:
            return
        kept = {key: entry for key, entry in self._old.items() if entry.keeps}
        self._old = self.young
        self.young = kept
