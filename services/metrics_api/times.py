"""How answers write moments."""

from datetime import UTC, datetime


def rfc3339(moment_ms: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC, with milliseconds where there are any."""
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    spec = "milliseconds" if moment_ms % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")
