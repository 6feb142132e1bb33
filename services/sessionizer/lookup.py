"""``LiveView`` from outside: what the workers know of the visitors of their partitions."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from services.common.settings import Settings
from services.sessionizer.client import ANSWERED, WorkerClient

TIMEOUT_SECONDS = 5.0
NOTHING = 204
UNKNOWN = 404


class RemoteLive(WorkerClient):
    """The live view of an installation of many workers."""

    def __init__(self, settings: Settings) -> None:
        """Ask the workers of these settings; nothing is connected before ``start``."""
        super().__init__(settings, TIMEOUT_SECONDS)

    # -- of one visitor

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state, None for one never seen."""
        home, question = self.home(source, visitor_id), {"source": source, "visitor_id": visitor_id}
        answer = await self.ask("GET", home, "live/visitor", params=question)
        found: dict[str, Any] | None = answer.json()
        return found

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        """Return a visitor's cart as it stands now, None for one the live view forgot."""
        home = self.home(source, visitor_id)
        question = {"source": source, "visitor_id": visitor_id, "cart_id": cart_id}
        # A worker that is still to be upgraded knows of no such question: storage has the word.
        answer = await self.ask(
            "GET", home, "live/cart", answers=(*ANSWERED, UNKNOWN), params=question
        )
        found: dict[str, Any] | None = None if answer.status_code == UNKNOWN else answer.json()
        return found

    async def live_state(self, source: str, address: str) -> bytes | None:
        """Return an address's encoded state and what waits, None for none.

        A worker that is still to be upgraded has folded in what waits.
        """
        home, question = self.home(source, address), {"source": source, "address": address}
        answer = await self.ask("GET", home, "live/state", params=question)
        return None if answer.status_code == NOTHING else answer.content

    async def live_states(self, source: str, addresses: Iterable[str]) -> dict[str, bytes | None]:
        """Return what ``live_state`` does, of each address."""
        asked = list(addresses)
        found = await asyncio.gather(*(self.live_state(source, address) for address in asked))
        return dict(zip(asked, found, strict=True))

    async def has_open_session(self, source: str, visitor_id: str) -> bool:
        """Tell whether a visitor has an open session now."""
        found = await self.visitor(source, visitor_id)
        return found is not None and found["open_session"] is not None

    # -- of all

    async def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the log's clock, by stage."""
        total: Counter[str] = Counter()
        for row in await self._of_all("counts", source):
            total.update(row["live_visitors"])
        return dict(total)

    async def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return sum(row["open_carts"] for row in await self._of_all("counts", source))

    async def clock_ms(self) -> int:
        """Return the log's clock: that of the partition which is furthest behind.

        Whatever lies before it is decided in every partition.
        """
        return min(int(row["clock_ms"]) for row in await self._of_all("counts", ""))

    async def signals(self, source: str) -> list[dict[str, Any]]:
        """Return the signals that waiting events alone have made."""
        rows = await self._of_all("signals", source)
        return [signal for row in rows for signal in row["signals"]]

    async def _of_all(self, what: str, source: str) -> list[dict[str, Any]]:
        return await self.ask_all("GET", f"live/{what}", params={"source": source})
