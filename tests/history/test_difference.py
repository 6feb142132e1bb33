"""What a rebuild takes back: within reach of the stored events, and every mark."""

from typing import Any

import msgspec

from schemas.rows import FlagRow, SignalRow
from services.history.cut import NEVER
from services.history.difference import Change, Difference
from services.history.stored import AnyRow

FIRST_MS = 100
"""The visitor's oldest event that is still stored."""


def taken_back(table: str, row: AnyRow) -> list[tuple[int, int]]:
    """Return version and ``deleted`` of what is written where nothing is left of a stored row."""
    raw: dict[str, Any] = msgspec.to_builtins(row)
    difference = Difference(table, 7, {"v": NEVER}, {"v": FIRST_MS}, Change())
    written = [msgspec.json.decode(line) for line in difference.lines([], [(row, raw)])]
    return [(one["version"], one["deleted"]) for one in written]


def flag(ts_ms: int) -> FlagRow:
    return FlagRow(
        source="shop", visitor_id="v", event_id="order", ts_ms=ts_ms, flag="late_order", version=3
    )


def signal(at_ms: int) -> SignalRow:
    return SignalRow(
        source="shop",
        visitor_id="v",
        signal_id="s",
        kind="bounce",
        at_ms=at_ms,
        emitted_ms=at_ms,
    )


def test_a_row_older_than_all_that_is_stored_of_its_visitor_stays() -> None:
    assert taken_back("signals", signal(FIRST_MS)) == [(7, 1)]
    assert taken_back("signals", signal(FIRST_MS - 1)) == []


def test_a_mark_goes_though_its_order_came_over_a_link_and_is_older_than_all_else() -> None:
    assert taken_back("event_flags", flag(FIRST_MS)) == [(7, 1)]
    assert taken_back("event_flags", flag(FIRST_MS - 1)) == [(7, 1)]
