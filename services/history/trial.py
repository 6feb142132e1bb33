"""The same stored events under two policies: what would differ. Nothing is stored."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from services.common.ports import Progress, Storage, nothing
from services.history.groups import portions_of
from services.history.rebuild import Task, addresses_between
from services.history.stored import events_of
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Rules


class Numbers(Struct):
    """Counts of one policy over a range: sessions by start, carts by ``bucket_ms``, others by time.

    Bots, tests and excluded traffic are left out, as everywhere. The bounce rate is ``bounced`` /
    ``bounce_of``, the abandonment rate ``carts_abandoned`` / ``carts_resolved``.
    """

    sessions: int = 0
    bounced: int = 0
    bounce_of: int = 0
    carts_abandoned: int = 0
    carts_resolved: int = 0
    orders: int = 0
    signals: dict[str, int] = {}
    stages: dict[str, int] = {}


class Trial(Struct, frozen=True):
    """Both sides of a source over [from_ms, to_ms); ``note``: what its user should know."""

    source: str
    from_ms: int
    to_ms: int
    events: int
    now: Numbers
    tried: Numbers
    note: str = ""


def trial(
    storage: Storage,
    task: Task,
    rules: Rules,
    bounds: tuple[int, int],
    progress: Progress = nothing,
) -> Trial:
    """Fold the whole histories of who was there between the bounds, under both rules."""
    sides = (Numbers(signals={}, stages={}), Numbers(signals={}, stages={}))
    events = 0
    addresses = addresses_between(storage, task.source, *bounds)
    portions = portions_of(storage, task.source, addresses)
    for done, portion in enumerate(portions):
        progress(done, len(portions), "recomputing under both policies")
        found = events_of(storage, task.source, portion)
        events += len(found)
        for numbers, side in zip(sides, (task.rules, rules), strict=True):
            add(numbers, fold_history(found, side, task.as_of_ms, task.version), bounds)
    return Trial(task.source, *bounds, events, *sides)


def add(numbers: Numbers, rows: Rows, bounds: tuple[int, int]) -> None:
    """Count what falls within the bounds."""
    for session in rows.sessions:
        if _counts(session, session.started_ms, bounds):
            numbers.sessions += 1
            numbers.bounce_of += session.bounced is not None
            numbers.bounced += session.bounced is True
            _tally(numbers.stages, session.reached)
    for cart in rows.carts:
        if cart.bucket_ms is not None and _counts(cart, cart.bucket_ms, bounds):
            numbers.carts_resolved += cart.outcome != "emptied"
            numbers.carts_abandoned += cart.abandoned_ms is not None
    orders = {row.order_id for row in rows.orders if row.kind == "order"
              and _counts(row, row.at_ms, bounds)}  # fmt: skip
    numbers.orders += len(orders)
    shown = [row.kind for row in rows.signals
             if not row.retracted and _counts(row, row.at_ms, bounds)]  # fmt: skip
    _tally(numbers.signals, shown)


def _counts(row: object, at_ms: int, bounds: tuple[int, int]) -> bool:
    left_out = any(getattr(row, mark) for mark in ("bot", "test", "excluded"))
    return bounds[0] <= at_ms < bounds[1] and not left_out


def _tally(counts: dict[str, int], names: Iterable[str]) -> None:
    for name, n in Counter(names).items():
        counts[name] = counts.get(name, 0) + n
