"""The bytes of a state at rest: a head that timers and counts can read alone, then msgpack.

Head (10 bytes, big-endian): version, the second to look at it again (0: never), the second of the
last active event, and what to count it as. A start over a million states reads heads only.
An older version's bytes are brought up one version at a time by ``UPGRADES``.
"""

from collections.abc import Callable, Mapping
from struct import Struct as Layout
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from services.common.errors import FatalError
from services.sessionizer.core.links import Alias
from services.sessionizer.core.state import Visitor

VERSION = 1
HASH = 8
"""Bytes of the hash of an event's id."""

HASHES = 512
"""How many of a visitor's newest events are known again by the hash of their id."""

_HEAD = Layout(">BIIB")

Upgrade = Callable[[bytes], bytes]

UPGRADES: Mapping[int, Upgrade] = MappingProxyType({})
"""Version to a function from the bytes after the head to those of the next version."""


class Head(NamedTuple):
    """What can be told of a state without decoding it."""

    wake_s: int
    active_s: int
    counted: int


class State(Struct, array_like=True):
    """All that is kept of one address. The order of the fields is the format: add at the end.

    The frontier is the greatest fold key folded or deadline fired. ``hashes`` and ``sent`` hold
    8 bytes an entry, newest last. ``hold_ms``: until then absence decides nothing (the visitor's
    events came late). ``seen_ms``: the append time of its last event. ``emit_ms``: when its open
    rows are to be emitted, 0 for nothing to say.
    """

    visitor: Visitor | None = None
    frontier: tuple[int, int, str] = (0, 0, "")
    hashes: bytes = b""
    sent: bytes = b""
    hold_ms: int = 0
    seen_ms: int = 0
    emit_ms: int = 0
    alias: Alias | None = None


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
        self._decoder = Decoder(State)

    def encode(self, state: State, head: Head) -> bytes:
        """Return the bytes of a state, without the names that its key holds already."""
        visitor = state.visitor
        if visitor is None:
            return _HEAD.pack(VERSION, *head) + self._encoder.encode(state)
        source, visitor_id = visitor.source, visitor.visitor_id
        visitor.source = visitor.visitor_id = ""
        data = self._encoder.encode(state)
        visitor.source, visitor.visitor_id = source, visitor_id
        return _HEAD.pack(VERSION, *head) + data

    def decode(self, data: bytes, source: str = "", address: str = "") -> State:
        """Return the state of an address (none given: to be looked at, not to be folded).

        Raises FatalError on bytes of a version not known here.
        """
        version, body = data[0], data[_HEAD.size :]
        while version != VERSION:
            if version not in self._upgrades:
                raise FatalError(f"state has version {version}, this is version {VERSION}")
            body = self._upgrades[version](body)
            version += 1
        state = self._decoder.decode(body)
        if state.visitor is not None:
            state.visitor.source, state.visitor.visitor_id = source, address
        return state

    def copy(self, state: State) -> State:
        """Return a copy that shares nothing that the fold changes."""
        return self._decoder.decode(self._encoder.encode(state))
