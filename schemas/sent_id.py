"""The id by which its sender knows an item: under which name it stands, also in what is refused."""

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from schemas.identity import NO_IDS

ALIASES = ("messageId", "uuid", "eid")
"""What other trackers call an event's id (DESIGN, *Event id*); each counts where the one before
it, ``event_id`` first, is no id."""

_NAMES = ("event_id", *ALIASES)
_NAMES_OF_CLOUD_EVENT = (*_NAMES, "id")
"""An ``id`` without ``specversion`` is as often a product's: then it is no event's (ADR 14)."""

_SHOWN = 200


class _Sent(TypedDict, total=False):
    event_id: Any
    messageId: Any
    uuid: Any
    eid: Any
    id: Any
    specversion: Any


_READ = msgspec.json.Decoder(_Sent).decode


def id_field(found: Mapping[str, Any]) -> str:
    """Return the name of the field that says an event's id, of the right type or not, else ``""``.

    A null and a text that is no id say none.
    """
    names = _NAMES_OF_CLOUD_EVENT if "specversion" in found else _NAMES
    return next((name for name in names if _says(found.get(name))), "")


def _says(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in NO_IDS
    return value is not None


def told_id(found: Mapping[str, Any]) -> str:
    """Return the id to tell of a refused item: the sender's own, if it can be shown."""
    value = found.get(id_field(found))
    return value[:_SHOWN] if isinstance(value, str) and value.isprintable() else ""


def read_id(item: bytes) -> str:
    """Return the same of an item that is not read for what else it holds, ``""`` where it cannot.

    It reads no deeper than the object's own fields: too large, too deep, with doubled keys or
    broken UTF-8 elsewhere, it is still found. Of one sent twice the last counts, as for any reader.
    """
    try:
        return told_id(_READ(item))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
