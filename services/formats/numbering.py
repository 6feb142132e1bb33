"""Stable ids for events of a file that carry none, so that reading the file again repeats nothing.

The id is a hash of the content and of its number among equal contents of the file (DESIGN, *Event
id*), the same for ``replay`` and ``import``. Equal contents have equal times, so only a window of
the newest contents is remembered: a file of any length is numbered in fixed memory.
"""

from collections.abc import Iterable

import msgspec

from schemas.ids import event_id
from services.formats.items import BadLine, Item, Read

WINDOW = 200_000
"""Distinct contents remembered; two equal ones further apart would share an id."""

NOT_CONTENT = frozenset({"sent_ms", "received_ms", "ip"})
_encode = msgspec.json.Encoder(order="sorted").encode


def numbered(read: Iterable[Item | BadLine]) -> Read:
    """Yield the same items, each with an ``event_id``."""
    newer: dict[bytes, int] = {}
    older: dict[bytes, int] = {}
    for one in read:
        if isinstance(one, BadLine) or one.item.get("event_id"):
            yield one
            continue
        content = _encode({key: one.item[key] for key in one.item if key not in NOT_CONTENT})
        number = newer.pop(content, 0) or older.get(content, 0)
        newer[content] = number + 1
        if len(newer) > WINDOW:
            older, newer = newer, {}
        yield Item(one.line, {"event_id": event_id(content.decode(), number + 1)} | one.item)
