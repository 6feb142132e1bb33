"""Steps and their buckets: aligned to local midnight, right in every zone and on DST nights.

A day is what the local calendar calls one, 23 to 25 hours long. Steps up to an hour advance in
elapsed time from local midnight, so that the doubled hour of an autumn night is two buckets;
longer ones follow the wall clock (six hours are 00, 06, 12 and 18 o'clock).
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.spans import DAY_MS, HOUR_MS, MINUTE_MS
from services.common.errors import invalid

QUARTER = 900_000
MAX_BUCKETS = 11_000
"""What one answer may hold, as in Prometheus."""

MAX_DAYS = 36_525
"""The longest step, a hundred years: calendars end, and so do times that can be asked for."""

Unit = Literal["ms", "day", "week", "month"]
_STEP = re.compile(r"(\d{0,9})\s*(s|m|min|h|hour|d|day|w|week|mo|month|y)s?")
_UNITS: dict[str, tuple[Unit, int]] = {
    "s": ("ms", 1_000),
    "m": ("ms", MINUTE_MS),
    "min": ("ms", MINUTE_MS),
    "h": ("ms", HOUR_MS),
    "hour": ("ms", HOUR_MS),
    "d": ("day", 1),
    "day": ("day", 1),
    "w": ("week", 1),
    "week": ("week", 1),
    "mo": ("month", 1),
    "month": ("month", 1),
    "y": ("month", 12),
}
_DAYS: dict[Unit, float] = {"ms": 1 / DAY_MS, "day": 1, "week": 7, "month": 30.4}


class Step(Struct, frozen=True):
    """A width: ``size`` milliseconds within a day, or so many days, weeks or months."""

    unit: Unit
    size: int


class Bucket(Struct, frozen=True, gc=False):
    """[from, to), and the whole bucket it may be the cut rest of."""

    from_ms: int
    to_ms: int
    start_ms: int
    end_ms: int

    @property
    def partial(self) -> bool:
        """Tell whether the range asked for cuts it."""
        return self.from_ms > self.start_ms or self.to_ms < self.end_ms


def zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database; raises ``InvalidError`` for an unknown name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise invalid("tz", name, "is no time zone such as Europe/Berlin") from error


def parse_step(text: str) -> Step:
    """Read ``30s``, ``15m``, ``1h``, ``day``, ``2w``, ``1mo``, ``1y`` or a number of seconds.

    Raises ``InvalidError`` for others, for one that is nothing or longer than ``MAX_DAYS``, and
    where a step within a day does not divide 24 hours.
    """
    found = _STEP.fullmatch(f"{text}s" if text.isdecimal() else text.strip().lower())
    if not found:
        raise invalid("step", text, "is none of 30s, 15m, 1h, 1d, 1w, 1mo, 1y or seconds")
    unit, one = _UNITS[found[2]]
    size = int(found[1] or 1) * one
    if size == 0:
        raise invalid("step", text, "has no width; the shortest is 1s")
    if size * _DAYS[unit] > MAX_DAYS:
        raise invalid("step", text, "is longer than a hundred years")
    if unit == "ms" and size % DAY_MS == 0:
        return Step("day", size // DAY_MS)
    if unit == "ms" and DAY_MS % size:
        raise invalid("step", text, "neither divides a day nor is whole days")
    return Step(unit, size)


def buckets(from_ms: int, to_ms: int, step: str, tz: str) -> list[Bucket]:
    """Return the buckets of [from, to) in order, one for the whole range without a step.

    Raises ``InvalidError`` for an empty range and for more buckets than an answer may hold.
    """
    if to_ms <= from_ms:
        raise invalid("to", to_ms, f"is not after from = {from_ms}")
    if not step:
        return [Bucket(from_ms, to_ms, from_ms, to_ms)]
    parsed = parse_step(step)
    if parsed.unit == "ms" and (to_ms - from_ms) // parsed.size > MAX_BUCKETS:
        raise invalid("step", step, f"gives more than {MAX_BUCKETS:,} buckets")
    found = []
    edges = _edges(from_ms, to_ms, parsed, zone(tz))
    start = next(edges)
    for end in edges:
        if end > from_ms:
            found.append(Bucket(max(start, from_ms), min(end, to_ms), start, end))
        if end >= to_ms:
            break
        start = end
    if len(found) > MAX_BUCKETS:
        raise invalid("step", step, f"gives more than {MAX_BUCKETS:,} buckets")
    return found


def midnight(day: date, where: ZoneInfo) -> int:
    """Return the epoch milliseconds at which a local day begins (where 00:00 is skipped: 01:00)."""
    return _instant(datetime(day.year, day.month, day.day, tzinfo=where))


def quarter_of(at_ms: int) -> tuple[int, int]:
    """Return the quarter of an hour, UTC, that holds an instant: its start and end."""
    start = at_ms - at_ms % QUARTER
    return start, start + QUARTER


def day_of(at_ms: int, where: ZoneInfo) -> tuple[int, int]:
    """Return the local day that holds an instant: its start and end."""
    day = datetime.fromtimestamp(at_ms / 1000, where).date()
    start, end = midnight(day, where), midnight(day + timedelta(days=1), where)
    return (start, end) if start <= at_ms < end else day_of(start - 1, where)


def days(from_ms: int, to_ms: int, tz: str) -> list[tuple[int, int]]:
    """Return the whole local days within [from, to), each as its start and end."""
    found = buckets(from_ms, to_ms, "1d", tz) if to_ms > from_ms else []
    return [(day.start_ms, day.end_ms) for day in found if not day.partial]


def _edges(from_ms: int, to_ms: int, step: Step, where: ZoneInfo) -> Iterator[int]:
    first = datetime.fromtimestamp(from_ms / 1000, where).date()
    if step.unit == "ms":
        yield from _edges_of_days(first, to_ms, step.size, where)
        return
    day = _aligned(first, step)
    while True:
        edge = midnight(day, where)
        yield edge
        if edge >= to_ms:
            return
        day = _later(day, step)


def _edges_of_days(day: date, to_ms: int, size: int, where: ZoneInfo) -> Iterator[int]:
    while True:
        start, end = midnight(day, where), midnight(day + timedelta(days=1), where)
        if size <= HOUR_MS:
            yield from range(start, end, size)
        else:
            yield from _edges_by_wall(day, size, start, end, where)
        if end >= to_ms:
            yield end
            return
        day += timedelta(days=1)


def _edges_by_wall(day: date, size: int, start: int, end: int, where: ZoneInfo) -> Iterator[int]:
    yield start
    naive = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone follows below
    last = start
    for wall in range(size, DAY_MS, size):
        edge = _instant((naive + timedelta(milliseconds=wall)).replace(tzinfo=where))
        if last < edge < end:
            yield edge
            last = edge


def _aligned(day: date, step: Step) -> date:
    if step.unit == "week":
        return day - timedelta(days=day.weekday() + 7 * (_week(day) % step.size))
    if step.unit == "month":
        month = day.year * 12 + day.month - 1
        return _first_of(month - month % step.size)
    return day - timedelta(days=day.toordinal() % step.size)


def _week(day: date) -> int:
    return (day.toordinal() - 1) // 7


def _later(day: date, step: Step) -> date:
    if step.unit == "month":
        return _first_of(day.year * 12 + day.month - 1 + step.size)
    return day + timedelta(days=step.size * (7 if step.unit == "week" else 1))


def _first_of(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _instant(local: datetime) -> int:
    since = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)
