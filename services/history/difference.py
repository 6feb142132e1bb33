"""What must be written so that stored rows become the fresh ones. Pure.

DESIGN, *Storage*: what comes out the same is not written; an id that vanishes gets a ``deleted``
version, save for rows older than the visitor's oldest stored event, which retention has taken out
of reach.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from schemas.rows import FlagRow, OrderRow, SignalRow
from schemas.spans import DAY_MS
from services.history.cut import NEVER, anchor_ms
from services.history.stored import AnyRow, Key, key_of

_encode = msgspec.json.Encoder().encode


class Change(Struct):
    """How many rows of a table were (or would be) written anew, left the same, taken back."""

    new: int = 0
    changed: int = 0
    same: int = 0
    deleted: int = 0


class Difference:
    """The difference of one table, up to each visitor's cut (``cut.py``); counted in ``change``."""

    def __init__(
        self,
        table: str,
        version: int,
        cuts: Mapping[str, int],
        first_ms: Mapping[str, int],
        change: Change,
    ) -> None:
        self._table = table
        self._version = version
        self._cuts = cuts
        self._first_ms = first_ms
        self._change = change

    def lines(
        self, fresh: Sequence[AnyRow], stored: Iterable[tuple[AnyRow, dict[str, Any]]]
    ) -> list[bytes]:
        """Return JSON lines: new and changed rows, and the vanished ones marked deleted."""
        left: dict[Key, AnyRow] = {key_of(self._table, row): row for row in fresh if self._may(row)}
        lines = []
        for old, raw in stored:
            row = left.pop(key_of(self._table, old), None)
            if row is not None and _content(row) == _content(old):
                self._change.same += 1
            elif row is not None:
                self._change.changed += 1
                lines.append(_encode(_above(row, old)))
                if _moved(row, old):
                    lines.append(self._deleted(old, raw))
            elif self._may(old) and self._within_reach(old):
                self._change.deleted += 1
                lines.append(self._deleted(old, raw))
        self._change.new += len(left)
        lines.extend(_encode(row) for row in left.values())
        return lines

    def _deleted(self, old: AnyRow, raw: dict[str, Any]) -> bytes:
        version = max(self._version, old.version + 1)
        return _encode({**raw, "version": version, "deleted": 1})

    def _may(self, row: AnyRow) -> bool:
        # A mark stays where what it marks could not be replaced yet.
        return anchor_ms(row) < self._cuts.get(row.visitor_id, NEVER)

    def _within_reach(self, row: AnyRow) -> bool:
        # A mark may be of an order that came over a link, older than all that is the visitor's own.
        marks = isinstance(row, FlagRow)
        return marks or anchor_ms(row) >= self._first_ms.get(row.visitor_id, NEVER)


def _moved(row: AnyRow, old: AnyRow) -> bool:
    """Tell whether a row's anchor is on another UTC day: there it replaces nothing by itself.

    Tables sort by (source, day of the anchor, id), so the old version would go on standing.
    """
    return not isinstance(row, OrderRow) and anchor_ms(row) // DAY_MS != anchor_ms(old) // DAY_MS


def _above(row: AnyRow, old: AnyRow) -> AnyRow:
    """Return the row with a version above the old one's, though the log's clock may stand."""
    if row.version > old.version:
        return row
    return msgspec.structs.replace(row, version=old.version + 1)


def _content(row: AnyRow) -> tuple[Any, ...]:
    """Return a row's values in order, without what says only when it was stated.

    Not the row itself: two rows are never equal where one is of a subclass, as the fold's are.
    """
    told = {"version": 0, "emitted_ms": 0} if isinstance(row, SignalRow) else {"version": 0}
    return msgspec.structs.astuple(msgspec.structs.replace(row, **told))
