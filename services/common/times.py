"""Times as callers give them (RFC 3339, epoch seconds or milliseconds, ``now-6h``) and are told."""

import re
from datetime import UTC, datetime, tzinfo

from schemas.spans import DAY_MS, HOUR_MS, MINUTE_MS
from services.common.errors import invalid

UNITS_MS = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
MS_FROM = 100_000_000_000
"""A plain number at or above it is milliseconds: as seconds it would be the year 5138."""
LATEST_MS = 7_258_118_400_000
"""The year 2200; a later time is a slip of units, not a question."""

_RELATIVE = re.compile(r"now(?:([+-])(\d{1,9})([smhdw]))?")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")
_LOST_PLUS = re.compile(r" (\d\d:\d\d)$")
_FORMS = "give RFC 3339 (2026-11-21T10:00:00Z), epoch seconds, epoch milliseconds, or now-6h"
_SPANS = f"after now comes a span such as -6h or +1d, in one of the units {', '.join(UNITS_MS)}"


def parse(field: str, text: str, now_ms: int, zone: tzinfo = UTC) -> int:
    """Return the epoch milliseconds a parameter names; one without an offset is in ``zone``.

    Raises ``InvalidError`` naming the field and the value.
    """
    text = text.strip()
    if text.startswith("now"):
        moment = _relative(field, text, now_ms)
    elif _NUMBER.fullmatch(text):
        number = float(text)
        moment = int(number if number >= MS_FROM else number * 1000)
    else:
        moment = _rfc3339(field, text, zone)
    if moment < 0:
        raise invalid(field, text, "is before 1970, the earliest time there is")
    if moment >= LATEST_MS:
        raise invalid(field, text, "is after 2199, the latest time there is")
    return moment


def window(
    from_: str | None, to: str | None, now_ms: int, zone: tzinfo = UTC
) -> tuple[int | None, int | None]:
    """Return the interval [from, to) in epoch ms, None where a side is not given."""
    start = None if from_ is None else parse("from", from_, now_ms, zone)
    end = None if to is None else parse("to", to, now_ms, zone)
    if start is not None and end is not None and start >= end:
        raise invalid("to", to, f"must be later than from = {from_!r}")
    return start, end


def rfc3339(moment_ms: int) -> str:
    """Return a moment in UTC with ``Z``, with milliseconds only where there are any."""
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    spec = "milliseconds" if moment_ms % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def _relative(field: str, text: str, now_ms: int) -> int:
    found = _RELATIVE.fullmatch(text)
    if found is None:
        raise invalid(field, text, _SPANS)
    sign, count, unit = found.groups()
    if sign is None:
        return now_ms
    return now_ms + (1 if sign == "+" else -1) * int(count) * UNITS_MS[unit]


def _rfc3339(field: str, text: str, zone: tzinfo) -> int:
    # A plus sign that was not percent-encoded in a URL arrives as a space.
    mended = _LOST_PLUS.sub(r"+\1", text)
    try:
        moment = datetime.fromisoformat(mended)
    except ValueError:
        raise invalid(field, text, _FORMS) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return round(moment.timestamp() * 1000)
