"""Moves a file's events in time so that the last happens now, for a replay into the live API."""

from collections.abc import Iterable
from datetime import UTC

from schemas.context import LIVE_MAX_AGE_MS
from schemas.spans import HOUR_MS
from schemas.times import parse
from services.common.errors import InvalidError
from services.formats.items import BadLine, Item, Read


def shift_ms(read: Iterable[Item | BadLine], now_ms: int) -> int:
    """Return what to add to every time so that the latest becomes ``now_ms``.

    Raises ``InvalidError`` where the file has no time, or spans more than the live API takes.
    """
    times = [at for one in read if isinstance(one, Item) and (at := time_of(one)) is not None]
    if not times:
        raise InvalidError("no line of the file has a time that can be shifted")
    span = max(times) - min(times)
    if span > LIVE_MAX_AGE_MS:
        raise InvalidError(
            f"the file spans {span / HOUR_MS:.1f} hours and the live API takes no event older "
            f"than {LIVE_MAX_AGE_MS // HOUR_MS}: use `waymark import`"
        )
    return now_ms - max(times)


def time_of(item: Item) -> int | None:
    """Return an item's time in epoch milliseconds, None where it has none that can be read."""
    ts_ms = item.item.get("ts_ms")
    if isinstance(ts_ms, int):
        return ts_ms
    given = item.item.get("timestamp")
    return parse(given, UTC) if isinstance(given, (str, int, float)) else None


def shifted(read: Iterable[Item | BadLine], by_ms: int) -> Read:
    """Yield the same items later; those without a readable time as they are, to be refused."""
    for one in read:
        at = time_of(one) if isinstance(one, Item) else None
        if isinstance(one, BadLine) or at is None:
            yield one
            continue
        rest = {name: value for name, value in one.item.items() if name != "timestamp"}
        yield Item(one.line, rest | {"ts_ms": at + by_ms})
