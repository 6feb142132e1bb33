"""Fields that an event does not have: kept among its properties, and told by a dry run.

Only there: a storefront may send what it likes, and a misspelt name shows when it is tried out.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.body import split
from schemas.refusal import BodyRefusal, Warned, shown
from schemas.sent_id import id_field, told_id
from schemas.wire import OWN_FIELDS, Wire
from services.ingest.intake import Batch

KNOWN = frozenset(Wire.__annotations__) | OWN_FIELDS


def warnings_of(body: bytes, batch: Batch) -> Iterator[tuple[int, Warned]]:
    """Yield a warning for each unknown top-level field of each accepted item of a plain body."""
    items = split(body)
    if isinstance(items, BodyRefusal):
        return
    for place in batch.places:
        item: dict[str, Any] = msgspec.json.decode(items[place])
        for name in sorted(item.keys() - KNOWN - {id_field(item)}):
            message = f"{shown(name)} is no field of an event: kept among its properties"
            yield place, Warned(told_id(item), "unknown_field", message)
