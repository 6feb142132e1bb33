"""Time: when an event happened, by the shopper's clock where that can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from schemas.clocks import EARLIEST_MS, LATEST_MS, skew
from schemas.refusal import Refusal, shown
from schemas.spans import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

AHEAD_MS = DAY_MS
"""A time further ahead than this, on a clock that cannot be corrected, is no clock's error."""

_SECONDS_BELOW = 100_000_000_000
_ZULU = ("Z", "z")


def timestamp(draft: Draft, ctx: Context) -> Refusal | None:
    """Read ``timestamp`` into ``ts_ms``."""
    told = draft.pop("timestamp")
    found = parse(told, ctx.site.zone)
    if found is None:
        message = (
            f"timestamp {shown(told)} is neither RFC 3339 (2026-11-21T10:00:00Z)"
            " nor an epoch in seconds or milliseconds"
        )
        return Refusal("invalid_field", "timestamp", message, draft["event_id"])
    draft["ts_ms"] = found
    return None


def now(draft: Draft, ctx: Context) -> Refusal | None:
    """Give what says no time that of its arrival."""
    draft["ts_ms"] = ctx.received_ms
    return None


def when(draft: Draft, ctx: Context) -> Refusal | None:
    """Settle ``ts_ms`` (DESIGN, *Time*): corrected, never later than received, not too old."""
    draft.update(ctx.stamp)
    ts: int = draft["ts_ms"] + ctx.ahead_ms
    if ctx.oldest_ms <= ts <= ctx.received_ms:
        draft["ts_ms"] = ts
        return None
    return _out_of_range(draft, ctx, ts)


def sent(draft: Draft, ctx: Context) -> Refusal | None:
    """Correct by the sending time that the event itself says, where the request says none."""
    if ctx.sent_ms is None:
        draft["ts_ms"] += skew(draft["sent_ms"], ctx.received_ms)
    return None


def _out_of_range(draft: Draft, ctx: Context, ts: int) -> Refusal | None:
    """Refuse a time that no client clock explains, take one a little ahead for now."""
    received, event_id = ctx.received_ms, draft["event_id"]
    if not EARLIEST_MS <= ts <= LATEST_MS:
        return _implausible(draft, ts)
    if ts > received + AHEAD_MS:
        message = f"ts_ms {_iso(ts)} is more than a day later than now ({_iso(received)})"
        return Refusal("in_future", "ts_ms", message, event_id)
    if ts > received:
        draft["ts_ms"] = received
        return None
    hours = (ctx.max_age_ms or 0) // HOUR_MS
    message = f"ts_ms {_iso(ts)} is more than {hours} hours before now ({_iso(received)})"
    return Refusal("too_old", "ts_ms", message + "; history is imported", event_id)


def parse(value: float | str, zone: tzinfo) -> int | None:
    """Return epoch milliseconds of RFC 3339 text or an epoch in seconds or milliseconds.

    Numbers below 10^11 are seconds. A text without an offset is in ``zone``. None: no time.
    """
    if isinstance(value, str):
        text = value.strip()
        number = text.removeprefix("-")
        if number.replace(".", "", 1).isdecimal():
            return _epoch(float(text)) if len(text) < 20 else None  # noqa: PLR2004 - no epoch
        return _date(text, zone)
    return _epoch(value)


def _epoch(value: float) -> int | None:
    if abs(value) >= 1e18:  # noqa: PLR2004 - far beyond any date
        return None
    return round(value * 1_000) if abs(value) < _SECONDS_BELOW else int(value)


def _date(text: str, zone: tzinfo) -> int | None:
    if text.endswith(_ZULU):
        text = text[:-1] + "+00:00"
    try:
        moment = datetime.fromisoformat(text)
        if len(text) < len("2026-01-01T00"):
            return None  # a day is no moment
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def _implausible(draft: Draft, ts: int) -> Refusal:
    hint = ""
    if EARLIEST_MS <= ts * 1_000 <= LATEST_MS:
        hint = "; it looks like seconds, and ts_ms is milliseconds"
    message = f"ts_ms {ts} is outside the years 1990 to 2100{hint}"
    return Refusal("invalid_field", "ts_ms", message, draft["event_id"])


def _iso(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
