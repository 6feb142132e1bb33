"""Counts of the hot path, kept as plain numbers and told to the metrics when they are asked for.

Only the event loop adds; totals never go down, so that whoever tells them, from whatever thread,
tells each exactly once. A labelled Prometheus counter costs ten times as much a step.
"""

import threading
from collections import Counter

from services.common.metrics import IngestOutcome, Metrics

MANY_SECONDS = 20_000
"""So many durations are kept before they are told unasked."""


class Tally:
    """Requests by answer, items by outcome, refusals by code, and how long requests took."""

    def __init__(self, metrics: Metrics) -> None:
        """Be asked by the metrics before they are exposed."""
        self._metrics = metrics
        self._lock = threading.Lock()
        self._answers: Counter[tuple[int, str]] = Counter()
        self._items: Counter[tuple[str, IngestOutcome]] = Counter()
        self._refused: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._told: Counter[object] = Counter()
        metrics.feed(self.tell)

    def answered(self, status: int, code: str, seconds: float) -> None:
        """Count a request by its answer, with the time it took."""
        self._answers[status, code] += 1
        self._seconds.append(seconds)
        if len(self._seconds) >= MANY_SECONDS:
            self.tell()

    def gone(self) -> None:
        """Count a request whose client went away before there was an answer."""
        self._answers[499, "gone"] += 1

    def accepted(self, source: str, items: int) -> None:
        """Count items that are in the log."""
        self._items[source, "accepted"] += items

    def refused(self, source: str, code: str) -> None:
        """Count an item that is kept as a dead letter."""
        self._items[source, "refused"] += 1
        self._refused[code] += 1

    def tell(self) -> None:
        """Bring the metrics up to date."""
        count = self._metrics.count
        with self._lock:
            for answer, total in list(self._answers.items()):
                status, code = str(answer[0]), answer[1]
                more = self._more(answer, total)
                count("waymark_ingest_requests_total", more, status=status, code=code)
            for item, total in list(self._items.items()):
                more = self._more(("items", *item), total)
                count("waymark_ingest_events_total", more, source=item[0], outcome=item[1])
            for reason, total in list(self._refused.items()):
                count("waymark_ingest_refused_total", self._more(reason, total), code=reason)
            told = len(self._seconds)
            for seconds in self._seconds[:told]:
                self._metrics.observe("waymark_ingest_request_seconds", seconds)
            del self._seconds[:told]

    def _more(self, key: object, total: int) -> int:
        """Return what has come to a total since it was told."""
        more = total - self._told[key]
        self._told[key] = total
        return more
