"""Time: when an event happened, by the shopper's clock where that can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from schemas.refusal import Refusal, shown

if TYPE_CHECKING:
    from schemas.context import Context
    from schemas.wire import Draft

SKEW_MS = 30_000
"""A client clock within this of ours is taken as it is, so that a retry keeps its time."""

AHEAD_MS = 24 * 3_600_000
"""A time further ahead than this, on a clock that cannot be corrected, is no clock's error."""

EARLIEST_MS = 631_152_000_000
"""1990-01-01: no storefront has events of before."""

LATEST_MS = 4_102_444_800_000
"""2100-01-01."""

_SECONDS_BELOW = 100_000_000_000
_ZULU = ("Z", "z")


def when(draft: Draft, ctx: Context) -> Refusal | None:
    """Settle ``ts_ms`` (DESIGN, *Time*): corrected, never later than received, not too old."""
    received = ctx.received_ms
    draft["received_ms"] = received
    sent = draft.get("sent_ms", ctx.sent_ms)
    given = draft.get("ts_ms")
    if given is None:
        field, given = "timestamp", draft.pop("timestamp", None)
        if given is None:
            draft["ts_ms"] = received
            return None
        told = given
        given = parse(told, ctx.site.zone)
        if given is None:
            return _unreadable(draft, told)
    else:
        field = "ts_ms"
        draft.pop("timestamp", None)
    if not EARLIEST_MS <= given <= LATEST_MS:
        return _implausible(draft, field, given)
    ts = given
    if sent is not None and not -SKEW_MS <= received - sent <= SKEW_MS:
        ts += received - sent
    return _within(draft, ctx, field, ts)


def _within(draft: Draft, ctx: Context, field: str, ts: int) -> Refusal | None:
    received = ctx.received_ms
    if ts > received:
        if ts - received > AHEAD_MS:
            ahead = f"{field} {_iso(ts)} is later than now ({_iso(received)}) by more than a day"
            return Refusal("in_future", field, ahead, draft.get("event_id", ""))
        ts = received
    elif ctx.max_age_ms is not None and received - ts > ctx.max_age_ms:
        hours = ctx.max_age_ms // 3_600_000
        old = f"{field} {_iso(ts)} is more than {hours} hours before now ({_iso(received)});"
        return Refusal("too_old", field, f"{old} import it instead", draft.get("event_id", ""))
    draft["ts_ms"] = ts
    return None


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


def _unreadable(draft: Draft, told: object) -> Refusal:
    message = (
        f"timestamp {shown(told)} is neither RFC 3339 (2026-11-21T10:00:00Z)"
        " nor an epoch in seconds or milliseconds"
    )
    return Refusal("invalid_field", "timestamp", message, draft.get("event_id", ""))


def _implausible(draft: Draft, field: str, given: int) -> Refusal:
    hint = ""
    if field == "ts_ms" and EARLIEST_MS <= given * 1_000 <= LATEST_MS:
        hint = "; it looks like seconds, ts_ms is milliseconds"
    message = f"{field} {given} ms is outside the years 1990 to 2100{hint}"
    return Refusal("invalid_field", field, message, draft.get("event_id", ""))


def _iso(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
