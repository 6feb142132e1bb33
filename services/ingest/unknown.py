"""Names that are none of ours, told by a dry run: of fields, and of an event's type.

Only there: a storefront may send what it likes, and a misspelt name shows when it is tried out.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import msgspec

from schemas.body import split
from schemas.marks import TYPES
from schemas.refusal import BodyRefusal, Warned, shown
from schemas.sent_id import id_field, told_id
from schemas.wire import OWN_FIELDS, Wire
from services.ingest.intake import Batch

KNOWN = frozenset(Wire.__annotations__) | OWN_FIELDS
CLOSE = 0.75
"""How alike two types must be (difflib's ratio) for one to be meant by the other."""


def warnings_of(body: bytes, batch: Batch) -> Iterator[tuple[int, Warned]]:
    """Yield a warning for an unknown type and each unknown top-level field of an accepted item.

    ``body`` is plain: not compressed.
    """
    items = split(body)
    if isinstance(items, BodyRefusal):
        return
    for place in batch.places:
        item: dict[str, Any] = msgspec.json.decode(items[place])
        if item["type"] not in TYPES:
            yield place, Warned(told_id(item), "unknown_type", _no_type(item["type"]))
        for name in sorted(item.keys() - KNOWN - {id_field(item)}):
            message = f"{shown(name)} is no field of an event: kept among its properties"
            yield place, Warned(told_id(item), "unknown_field", message)


def _no_type(sent: str) -> str:
    told = f"{shown(sent)} is no type that Waymark knows: taken as custom, with it as name"
    close = get_close_matches(sent.lower(), TYPES, 1, CLOSE)
    return f"{told}; did you mean {shown(close[0])}?" if close else told
