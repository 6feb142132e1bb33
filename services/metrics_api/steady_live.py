"""The live view whose clock does not go away while partitions move: numbers need no owner."""

import asyncio
import contextlib
import time
from typing import Any

from services.common.errors import MovingError
from services.common.ports import LiveView

KEEP_SECONDS = 1.0
"""A clock this old is told again: not each question asks every worker for it."""
PATIENCE_SECONDS = 2.0


class SteadyLive:
    """Hands questions on; the log's clock is the last one known, 0 before any was.

    A clock that stands makes a number at worst look less complete than it is.
    """

    def __init__(self, live: LiveView) -> None:
        """Ask this live view."""
        self._live = live
        self._clock_ms = 0
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def clock_ms(self) -> int:
        """Return the log's clock as far as it is known."""
        async with self._lock:
            if time.monotonic() - self._asked_at > KEEP_SECONDS:
                with contextlib.suppress(MovingError, TimeoutError):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        self._clock_ms = max(self._clock_ms, await self._live.clock_ms())
                self._asked_at = time.monotonic()
            return self._clock_ms

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state, None for one never seen."""
        return await self._live.visitor(source, visitor_id)

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        """Return a visitor's cart as it stands now, None for one the live view forgot."""
        return await self._live.cart(source, visitor_id, cart_id)

    async def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the log's clock, by stage."""
        return await self._live.live_visitors(source)

    async def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return await self._live.open_carts(source)

    async def signals(self, source: str) -> list[dict[str, Any]]:
        """Return the signals that waiting events alone have made."""
        return await self._live.signals(source)
