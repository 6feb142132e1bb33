"""How far storage is known to reach: what ``complete`` goes by where the loader is late.

Rows made by the time the log's clock was seen at some value waited for the loader then, or were in
storage. So once nothing waits that is as old as that look, storage has all that was made up to that
value. It holds also where the fold catches up: a row's age counts from when it was written for the
loader, not from the log's clock at which it was made.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from services.common.ports import Clock
from services.loader.pace import ARRIVES_MS
from services.metrics_api.holding import LOOK_SECONDS, Gate

Waits = Callable[[], Awaitable[int | None]]
"""Tells for how long (ms) the oldest of what storage lacks has waited for the loader at most: 0
where nothing waits, None where that is not known now."""

SLACK_MS = 1_000
"""For what the live view tells of a moment before others can see it, and for clocks that differ."""
MOST = 3_600
"""Looks kept. A loader that is later than these is known again once it is not."""


class Reach:
    """The log's clock up to which storage has all that was made of the log."""

    def __init__(self, gate: Gate, waits: Waits, clock: Clock) -> None:
        """Go by the log's clock as the gate sees it, and by what waits for the loader."""
        self._gate = gate
        self._waits = waits
        self._clock = clock
        self._looks: deque[tuple[int, int]] = deque(maxlen=MOST)
        self._stored_ms = 0

    async def watch(self) -> None:
        """Look once a second until cancelled; brokers may take longer to answer."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Note the log's clock, and up to which of those noted storage has all by now."""
        now_ms = self._clock.now_ms()
        if self._gate.log_ms:
            self._looks.append((now_ms, self._gate.log_ms))
        waits_ms = await self._waits()
        if waits_ms is None:
            return
        while self._looks and self._looks[0][0] <= now_ms - waits_ms - SLACK_MS:
            self._stored_ms = self._looks.popleft()[1]

    def within(self, log_ms: int) -> int | None:
        """Return the log's clock, or an earlier one where storage lacks more than it may.

        What happened longer than ``settling`` before it is in storage. None until that is known.
        """
        return min(log_ms, self._stored_ms + ARRIVES_MS) if self._stored_ms else None
