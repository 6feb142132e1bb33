"""Short ways to say what shoppers do, and to ask all three judges at once."""

from typing import Any, cast

from schemas.event import Event, EventType, Product
from schemas.rows import SignalRow
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import SourceRules
from tests.oracle.compare import agree
from tests.oracle.feed import Feed
from tests.oracle.oracle import judge

T0 = 1_772_020_800_000
"""Wednesday 2026-02-25, 12:00 UTC."""
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
RULES = SourceRules()
TEA = Product(product_id="tea", name="Tea", price=1_000)
CUP = Product(product_id="cup", name="Cup", price=500)


def does(kind: str, at: int, visitor: str = "v", **fields: Any) -> Event:
    """Return an event ``at`` milliseconds after T0; its id defaults to kind, visitor and time."""
    event_id = fields.pop("event_id", f"{kind}-{visitor}-{at}")
    return Event(
        type=cast("EventType", kind),
        event_id=event_id,
        source="shop",
        visitor_id=visitor,
        ts_ms=T0 + at,
        received_ms=T0 + at,
        **fields,
    )


def live(events: list[Event], as_of: int, rules: SourceRules = RULES) -> Feed:
    """Feed events as they happen, then let time pass to ``as_of`` after T0."""
    feed = Feed(rules)
    for event in sorted(events, key=lambda e: e.ts_ms):
        feed.append(event.ts_ms, [event])
        feed.commit()
    feed.finish(T0 + as_of)
    return feed


def rows_of(events: list[Event], as_of: int, rules: SourceRules = RULES) -> Rows:
    """Return the batch fold's rows, once oracle and live stream have agreed with them.

    The stream is asked where ``as_of`` lies 33 minutes behind the last event, past every hold.
    """
    core = fold_history(events, lambda _: rules, T0 + as_of, 1)
    agree(judge(events, rules, T0 + as_of), core)
    if T0 + as_of - max(event.ts_ms for event in events) >= 33 * MINUTE:
        feed = live(events, as_of, rules)
        agree(core, feed, {flag.visitor_id for flag in feed.flags})
    return core


def told(signals: list[SignalRow], visitor: str = "v") -> list[tuple[str, int]]:
    """Return kind and time after T0 of a visitor's signals that stand, stages left out."""
    newest = {row.signal_id: row for row in sorted(signals, key=lambda row: row.version)}
    return sorted(
        (
            (row.kind, row.at_ms - T0)
            for row in newest.values()
            if row.visitor_id == visitor and row.kind != "stage_entered" and not row.retracted
        ),
        key=lambda pair: (pair[1], pair[0]),
    )


def ever_told(signals: list[SignalRow], visitor: str = "v") -> set[str]:
    """Return the kinds that were ever emitted to a visitor, taken back or not."""
    return {row.kind for row in signals if row.visitor_id == visitor}
