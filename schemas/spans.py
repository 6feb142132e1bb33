"""Spans of time in milliseconds. Calendar days of a time zone may be longer or shorter."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
