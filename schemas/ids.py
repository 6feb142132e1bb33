"""Deterministic ids: H = the first 16 bytes of SHA-256 over length-prefixed UTF-8 parts, as UUID.

DESIGN, *Ids*: no start time, user, ordinal or version is ever in an id.
"""

from hashlib import sha256


def _h(*parts: str) -> str:
    data = b""
    for part in parts:
        raw = part.encode()
        data += len(raw).to_bytes(4, "big") + raw
    digits = sha256(data).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def session_id(source: str, visitor_id: str, first_event_id: str) -> str:
    """Return the id of the session whose first active event in fold order is given."""
    return _h("session/1", source, visitor_id, first_event_id)


def cart_id(source: str, visitor_id: str, opening_event_id: str) -> str:
    """Return the id of the cart episode that the given event opened."""
    return _h("cart/1", source, visitor_id, opening_event_id)


def signal_id(kind: str, entity: str, discriminator: str = "") -> str:
    """Return a signal's id; ``entity`` is a cart or session id, see DESIGN for the rest."""
    return _h("signal/1", kind, entity, discriminator)


def dead_letter_id(source: str, code: str, original: bytes, occurrence: int) -> str:
    """Return the id of a refused item: the same item sent again is the same letter.

    ``occurrence`` counts equal items within one body, from 0.
    """
    content = sha256(original).hexdigest()
    return _h("dead/1", source, code, content, str(occurrence))


def event_id(content: str, occurrence: int) -> str:
    """Return the id of an event that came without one; equal contents are numbered from 1."""
    return _h("event/1", content, str(occurrence))
