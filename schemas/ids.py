"""Deterministic ids: H = the first 16 bytes of SHA-256 over length-prefixed UTF-8 parts, as UUID.

DESIGN, *Ids*: no start time, user, ordinal or version is ever in an id.
"""

import hashlib
from functools import lru_cache


def _part(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "big") + raw


@lru_cache(maxsize=4096)
def _head(space: str, first: str) -> bytes:
    return _part(space) + _part(first)


def _uuid(data: bytes) -> str:
    hexed = hashlib.sha256(data).hexdigest()
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:32]}"


def session_id(source: str, visitor_id: str, first_event_id: str) -> str:
    """Return the id of the session whose first active event in fold order is given."""
    return _uuid(_head("session/1", source) + _part(visitor_id) + _part(first_event_id))


def cart_id(source: str, visitor_id: str, opening_event_id: str) -> str:
    """Return the id of the cart episode that the given event opened."""
    return _uuid(_head("cart/1", source) + _part(visitor_id) + _part(opening_event_id))


def signal_id(kind: str, entity: str, discriminator: str = "") -> str:
    """Return a signal's id; ``entity`` is a cart or session id, see DESIGN for the rest."""
    return _uuid(_head("signal/1", kind) + _part(entity) + _part(discriminator))


def dead_letter_id(source: str, code: str, original: bytes, occurrence: int) -> str:
    """Return the id of a refused item: the same item sent again is the same letter.

    ``occurrence`` counts equal items within one body, from 0.
    """
    content = hashlib.sha256(original).hexdigest()
    return _uuid(_head("dead/1", source) + _part(code) + _part(content) + _part(str(occurrence)))


def event_id(content: str, occurrence: int) -> str:
    """Return the id of an event that came without one; equal contents are numbered from 1."""
    return _uuid(_part("event/1") + _part(content) + _part(str(occurrence)))
