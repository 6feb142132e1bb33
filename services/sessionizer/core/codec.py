"""The bytes of a state at rest: a head that timers and counts can read alone, then packed msgpack.

Head (10 bytes, big-endian): version, the second to look at it again (0: never), the second of the
last active event, and what to count it as. A start over a million states reads heads only.
An older version's bytes are brought up one version at a time by ``UPGRADES``.
"""

from collections.abc import Callable, Mapping
from struct import Struct as Layout
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct, msgpack
from msgspec.msgpack import Decoder, Encoder

from schemas.event import Event
from services.common.errors import FatalError
from services.sessionizer.core.links import Alias
from services.sessionizer.core.packing import Packed, PackedVisitor, pack, unpack
from services.sessionizer.core.state import Visitor, packed, unpacked

VERSION = 3
HASH = 8
"""Bytes of the hash of an event's id."""

HASHES = 512
"""How many of a visitor's newest events are known again by the hash of their id."""

_HEAD = Layout(">BIIB")

Upgrade = Callable[[bytes], bytes]


_SESSION, _STEPS, _CLICKS = 9, 22, 25
"""Where version 1 kept the session of a visitor, and its steps and clicks."""


def _from_1(body: bytes) -> bytes:
    """Version 1 kept the frontier as three fields, and ids of events as texts."""
    fields = msgpack.decode(body)
    visitor, (at_ms, rank, event_id) = fields[0], fields[1:4]
    session = visitor and visitor[_SESSION]
    if session:
        for step in session[_STEPS]:
            step[3] = packed(step[3])
        for click in session[_CLICKS] or ():
            click[6] = packed(click[6])
    return msgpack.encode([visitor, [at_ms, rank, packed(event_id)], *fields[4:]])


class Head(NamedTuple):
    """What can be told of a state without decoding it."""

    wake_s: int
    active_s: int
    counted: int


Frontier = tuple[int, int, Any]
"""A fold key; its event's id is text in hand, and bytes where it was kept by version 2."""


class State(Struct, array_like=True):
    """All that is kept of one address.

    ``frontier`` is the greatest fold key folded or deadline fired. ``hashes`` and ``sent`` hold
    8 bytes an entry, newest last. ``hold_ms``: until then absence decides nothing (the visitor's
    events came late). ``seen_ms``: the append time of its last event. ``emit_ms``: when its open
    rows may be emitted again, 0 for at any time; ``told``: nothing has changed since they were.
    ``forgot``: the offset after that of the record that had its person forgotten, 0 for none.
    """

    visitor: Visitor | None = None
    frontier: Frontier = (0, 0, "")
    hashes: bytes = b""
    sent: bytes = b""
    hold_ms: int = 0
    seen_ms: int = 0
    emit_ms: int = 0
    alias: Alias | None = None
    told: bool = False
    forgot: int = 0


class PackedState(Struct, frozen=True, array_like=True):
    """A state at rest. The order of the fields is the format.

    ``seen`` and ``emit`` are milliseconds from the frontier on; None: at any time.
    """

    at_ms: int
    rank: int
    event_id: bytes
    visitor: PackedVisitor | None
    hashes: bytes
    seen: int
    emit: int | None
    told: bool
    sent: bytes = b""
    hold_ms: int = 0
    alias: Alias | None = None
    forgot: int = 0


class Unsettled(PackedState, frozen=True, array_like=True):
    """A state on its way to a preview, and what waits to be folded into it, in fold order.

    To whoever knows of no such thing it is the state alone; and a state, one with nothing waiting.
    """

    waiting: list[Event] = []


def _packed(state: State, *beside: list[Event]) -> Packed:
    at_ms, rank, event_id = state.frontier
    visitor = state.visitor
    common = (
        at_ms,
        rank,
        packed(event_id),
        None if visitor is None else pack(visitor, at_ms),
        state.hashes,
        state.seen_ms - at_ms,
        state.emit_ms - at_ms if state.emit_ms else None,
        state.told,
    )
    if state.sent or state.hold_ms or state.alias or state.forgot or beside:
        return (*common, state.sent, state.hold_ms, state.alias, state.forgot, *beside)
    return common


def _unpacked(p: PackedState) -> State:
    at_ms = p.at_ms
    return State(
        None if p.visitor is None else unpack(p.visitor, at_ms),
        (at_ms, p.rank, unpacked(p.event_id)),
        p.hashes,
        p.sent,
        p.hold_ms,
        at_ms + p.seen,
        0 if p.emit is None else at_ms + p.emit,
        p.alias,
        p.told,
        p.forgot,
    )


def _from_2(body: bytes) -> bytes:
    """Version 2 kept every field of a state, in the order in which it has them in hand."""
    state = msgpack.decode(body, type=State)
    at_ms, rank, event_id = state.frontier
    state.frontier = (at_ms, rank, unpacked(event_id))
    return msgpack.encode(_packed(state))


UPGRADES: Mapping[int, Upgrade] = MappingProxyType({1: _from_1, 2: _from_2})
"""Version to a function from the bytes after the head to those of the next version."""


def _named(state: State, source: str, address: str) -> State:
    """Give the visitor back the names that its key holds."""
    if state.visitor is not None:
        state.visitor.source, state.visitor.visitor_id = source, address
    return state


def head_of(data: bytes) -> Head:
    """Read the head. Raises FatalError on bytes of a version not known here."""
    version, wake_s, active_s, counted = _HEAD.unpack_from(data)
    if version != VERSION and version not in UPGRADES:
        raise FatalError(f"state has version {version}, this is version {VERSION}")
    return Head(wake_s, active_s, counted)


class Codec:
    """Encodes and decodes states; one a partition, since making its parts is not free."""

    def __init__(self, upgrades: Mapping[int, Upgrade] = UPGRADES) -> None:
        self._upgrades = upgrades
        self._encoder = Encoder()
        self._decoder = Decoder(PackedState)
        self._copier = Decoder(State)

    def encode(self, state: State, head: Head) -> bytes:
        """Return the bytes of a state, without the names that its key holds already."""
        return _HEAD.pack(VERSION, *head) + self._encoder.encode(_packed(state))

    def decode(self, data: bytes, source: str = "", address: str = "") -> State:
        """Return the state of an address (none given: to be looked at, not to be folded).

        Raises FatalError on bytes of a version not known here.
        """
        return _named(_unpacked(self._decoder.decode(self._body(data))), source, address)

    def encode_unsettled(self, state: State, waiting: list[Event]) -> bytes:
        """Return the bytes of a state and of what waits to be folded into it, in fold order."""
        return _HEAD.pack(VERSION, 0, 0, 0) + self._encoder.encode(_packed(state, waiting))

    def decode_unsettled(self, data: bytes, source: str, address: str) -> tuple[State, list[Event]]:
        """Return the state of an address, and what waits. Raises as ``decode`` does."""
        found = msgpack.decode(self._body(data), type=Unsettled)
        return _named(_unpacked(found), source, address), found.waiting

    def _body(self, data: bytes) -> bytes:
        """Return what comes after the head, in the form of this version."""
        version, body = data[0], data[_HEAD.size :]
        while version != VERSION:
            if version not in self._upgrades:
                raise FatalError(f"state has version {version}, this is version {VERSION}")
            body = self._upgrades[version](body)
            version += 1
        return body

    def copy(self, state: State) -> State:
        """Return a copy that shares nothing that the fold changes."""
        return self._copier.decode(self._encoder.encode(state))
