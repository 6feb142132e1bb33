"""Abandonments kept from those who follow signals while an order may still be on its way to them.

DESIGN, *Links*: an order that names only a cart reaches the shopper by way of the cart's own place
in the log. While any part of the log is behind, it may not have got there; so nobody is told that
she abandoned, until what was behind has caught up and the orders it sent on have settled.
"""

import asyncio
from collections import deque
from typing import Final

from schemas.rows import SignalRow
from services.common.errors import MovingError
from services.common.ports import Clock, LiveView
from services.sessionizer.core.policy import Rules

ABSENCE: Final = frozenset({"cart_abandoned", "checkout_abandoned", "cart_lost"})
"""What an order that comes late would take back."""
LAG_MS = 10_000
"""The log is behind from here on. Less is harmless: what arrives within the grace is folded."""
SLACK_MS = 5_000
"""For an order sent on to be read where it goes to, and its retraction to reach storage."""
LOOK_SECONDS = 1.0


class Gate:
    """Whether the log is behind, or was so short a time ago that orders may be under way."""

    def __init__(self, live: LiveView, clock: Clock, rules: Rules) -> None:
        """Compare the log's clock, as the live view tells it, with this one."""
        self._live = live
        self._clock = clock
        self._rules = rules
        self._behind_ms: int | None = None
        self._looked_ms = 0
        self._late = False
        self.log_ms = 0
        """The log's clock as last seen, 0 before it was."""

    @property
    def behind(self) -> bool:
        """Tell whether the log was behind at the last look, or none was for so long."""
        return self._late or (self._behind_ms is not None and self._blind())

    def _blind(self) -> bool:
        return self._clock.now_ms() - self._looked_ms > LAG_MS

    async def watch(self) -> None:
        """Look once a second until cancelled. What was before the first look is not known."""
        self._behind_ms = self._looked_ms = self._clock.now_ms()
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note whether the log is behind now."""
        try:
            log_ms = await self._live.clock_ms()
        except MovingError:
            log_ms = 0
        self._looked_ms = self._clock.now_ms()
        self._late = self._looked_ms - log_ms > LAG_MS
        self.log_ms = max(self.log_ms, log_ms)
        if self._late:
            self._behind_ms = self._looked_ms

    def holds(self, row: SignalRow) -> bool:
        """Tell whether a signal has to wait; one that nobody watches for does not."""
        if row.kind not in ABSENCE or row.retracted or self._behind_ms is None:
            return False
        settled_ms = self._behind_ms + self._rules(row.source).policy.time.grace_ms + SLACK_MS
        return self._clock.now_ms() < settled_ms or self._blind()


class Held:
    """What one client is still to be told, in order, from the first signal that has to wait.

    Each is a row and its place in the stream; without a row only the place is told.
    """

    def __init__(self, gate: Gate, most: int) -> None:
        """Hold so many at most; ``full`` says when there are more."""
        self._gate = gate
        self._most = most
        self._waiting: deque[tuple[SignalRow | None, str]] = deque()

    @property
    def full(self) -> bool:
        """Tell whether more waits than may."""
        return len(self._waiting) > self._most

    def put(self, row: SignalRow, place: str) -> None:
        """Add the next signal. One that takes back what still waits leaves nothing to tell."""
        told: SignalRow | None = row
        if row.retracted:
            for at, (other, where) in enumerate(self._waiting):
                if other is not None and other.signal_id == row.signal_id:
                    self._waiting[at] = (None, where)
                    told = None
        self._waiting.append((told, place))

    def pass_place(self, place: str) -> None:
        """Tell a place, once all before it is told."""
        self._waiting.append((None, place))

    def take(self) -> list[tuple[SignalRow | None, str]]:
        """Take what may be told now."""
        found = []
        while self._waiting and not self._waits(self._waiting[0][0]):
            found.append(self._waiting.popleft())
        return found

    def wait(self, otherwise: float | None) -> float | None:
        """Return the seconds after which to look again, ``otherwise`` where nothing waits."""
        if not self._waiting:
            return otherwise
        return LOOK_SECONDS if otherwise is None else min(otherwise, LOOK_SECONDS)

    def _waits(self, row: SignalRow | None) -> bool:
        return row is not None and self._gate.holds(row)
