"""Who of yesterday's nameless visitors still has a session open, asked of the workers.

A visitor without consent is known by a hash that changes at midnight, but keeps yesterday's while
its session is open (docs/design.md, *Privacy*). Normalisation asks and cannot wait: so what it did
not know is looked up afterwards, remembered, and the request is normalised once more.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from services.common.errors import RetryableError

OPEN_SECONDS = 20.0
"""An open session is asked for again after this long; one that is not open stays so: a hash of
yesterday that is not continued is never used again."""
KEPT = 50_000
ANSWER_SECONDS = 1.0

Visitor = tuple[str, str]
Ask = Callable[[str, str], Awaitable[bool]]
"""Asks whether a visitor (source, visitor id) has a session open; raises ``RetryableError``."""


class Recall:
    """Answers at once from memory, and learns what it did not know; used by one event loop."""

    def __init__(self, ask: Ask, now: Callable[[], float] = time.monotonic) -> None:
        """Ask with this; ``now`` counts seconds."""
        self._ask = ask
        self._now = now
        self._known: OrderedDict[Visitor, tuple[bool, float]] = OrderedDict()
        self._unknown: set[Visitor] = set()

    def __call__(self, source: str, visitor_id: str) -> bool:
        """Tell whether a session is open, False where that is not known yet."""
        known = self._known.get((source, visitor_id))
        if known is None or self._now() > known[1]:
            self._unknown.add((source, visitor_id))
            return False
        return known[0]

    async def learn(self) -> bool:
        """Look up what was asked in vain since the last time; tell whether there was anything."""
        asked, self._unknown = list(self._unknown), set()
        if not asked:
            return False
        for visitor, found in zip(
            asked, await asyncio.gather(*[self._look_up(*one) for one in asked]), strict=True
        ):
            until = self._now() + OPEN_SECONDS if found else float("inf")
            self._known[visitor] = (found, until)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return True

    async def _look_up(self, source: str, visitor_id: str) -> bool:
        """Return the answer; without one the visitor begins anew, for ingest waits for nobody."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(source, visitor_id)
        except (RetryableError, TimeoutError):
            return False
