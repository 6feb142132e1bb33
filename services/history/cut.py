"""How far a rebuild may replace a visitor's rows while that visitor's live state goes on. Pure.

DESIGN, *Storage*: a rebuild writes what is closed before the live frontier and leaves the live
state alone. What the live fold still holds open it will emit itself; a rebuilt row that reaches
into that would only be contradicted, so it and everything after it waits for a later rebuild.
"""

from collections.abc import Sequence

from schemas.rows import UNRESOLVED, CartRow, FlagRow, OrderRow, SessionRow, SignalRow

NEVER = 1 << 62
"""A time after every row's: nothing of the visitor is open live."""

TimedRow = SessionRow | CartRow | OrderRow | SignalRow


def anchor_ms(row: TimedRow | FlagRow) -> int:
    """Return the time at which a row stands: start, opening, or its own."""
    if isinstance(row, FlagRow):
        return row.ts_ms
    if isinstance(row, SessionRow):
        return row.started_ms
    if isinstance(row, CartRow):
        return row.opened_ms
    return row.at_ms


def cut_ms(rows: Sequence[TimedRow], live_from_ms: int) -> int:
    """Return the time before which a visitor's rows may be replaced.

    ``live_from_ms`` is where the oldest thing begins that is open live, ``NEVER`` where nothing is.
    A rebuilt session or cart that begins before it but ends after it moves the cut to its own
    beginning.
    """
    cut = live_from_ms
    for row in sorted(rows, key=anchor_ms, reverse=True):
        if anchor_ms(row) < cut <= _ends_ms(row):
            cut = anchor_ms(row)
    return cut


def _ends_ms(row: TimedRow) -> int:
    if isinstance(row, SessionRow):
        return NEVER - 1 if row.closed_ms is None else row.closed_ms
    if isinstance(row, CartRow):
        return NEVER - 1 if row.outcome in UNRESOLVED else row.last_activity_ms
    return row.at_ms
