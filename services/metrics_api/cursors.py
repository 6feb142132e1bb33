"""Opaque cursors: where a list goes on, and a mark of the question it belongs to.

Lists go from the newest to the oldest by (time, id), and a cursor names the last row given, so that
rows inserted meanwhile neither repeat nor hide any.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec

from services.common.errors import invalid


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The last row given: its time and id, and the mark of the question."""

    at_ms: int
    id: str
    mark: str


def mark(name: str, filters: Mapping[str, object]) -> str:
    """Return a short digest of which list is asked, and of its filters as they were written."""
    question = msgspec.json.encode([name, filters], order="deterministic")
    return hashlib.sha256(question).hexdigest()[:12]


def encode(place: Place) -> str:
    """Return the text a caller gives back unread."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode(text: str, question_mark: str) -> Place:
    """Return a cursor's place; a 400 where it is none, or of another question."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        place = msgspec.json.decode(raw, type=Place)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise invalid("cursor", text, "is no cursor that a list has answered") from None
    if place.mark != question_mark:
        raise invalid("cursor", text, "is of another list or other filters; keep both unchanged")
    return place
