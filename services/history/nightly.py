"""The nightly rebuild of what late events have marked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.common.catalog import Catalog
from services.common.ports import Clock


class Nightly:
    """Rebuilds what late events have marked, once a night, when a source's shoppers sleep.

    Also a while after a start, for a machine that is switched off at night.
    """

    HOUR = 3
    AFTER_START_MS = 5 * 60_000

    def __init__(
        self, run: Callable[[str, dict[str, Any]], Any], catalog: Catalog, clock: Clock
    ) -> None:
        """Rebuild through this runner of commands."""
        self._run = run
        self._catalog = catalog
        self._clock = clock
        self._started_ms = clock.now_ms()
        self._done: dict[str, str] = {}

    def run(self) -> list[str]:
        """Rebuild the sources whose night has come; return their names."""
        now_ms = self._clock.now_ms()
        if now_ms - self._started_ms < self.AFTER_START_MS:
            return []
        due = [
            one
            for one in self._catalog.sources()
            if self._night(one.timezone, now_ms) != self._done.get(one.name)
        ]
        for source in due:
            self._run("rebuild", {"source": source.name, "marked": True})
            self._done[source.name] = self._night(source.timezone, now_ms)
        return [source.name for source in due]

    def _night(self, zone: str, now_ms: int) -> str:
        """Return the night a time belongs to: a new one begins at three in the morning."""
        there = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        return (there - timedelta(hours=self.HOUR)).date().isoformat()
