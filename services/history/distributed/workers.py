"""What a rebuild asks of the workers: how far they are, what is open, whose state has moved."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec

from services.common import logging
from services.common.errors import MovingError
from services.common.settings import Settings
from services.sessionizer.client import WorkerClient
from services.sessionizer.web_beside import Question, Standing, Stored

T = TypeVar("T")
TIMEOUT_SECONDS = 60.0
PATIENCE_SECONDS = 120.0
"""For partitions that move: longer than a group takes to notice a worker that is gone."""
PAUSE_SECONDS = 0.5
ASKED_AT_ONCE = 500
"""So many addresses go into one question; a worker folds nothing for some ms of it."""
SIDE_BY_SIDE = 16
"""So many questions of one address each are under way."""


class Workers(WorkerClient):
    """All workers of an installation, asked until partitions have stopped moving.

    What they do raises ``MovingError`` where those still move after ``PATIENCE_SECONDS``.
    """

    def __init__(self, settings: Settings) -> None:
        """Ask the workers of these settings; nothing is connected before ``start``."""
        super().__init__(settings, TIMEOUT_SECONDS)

    async def stored(self) -> dict[int, Stored]:
        """Have all that is folded stored; return how far each partition is."""
        rows = await _patiently(lambda: self.ask_all("POST", "beside/stored"))
        return {row["partition"]: msgspec.convert(row, Stored) for row in rows}

    async def watch(self, name: str) -> None:
        """Have it noted from now on whose state moves."""
        await _patiently(lambda: self.ask_all("POST", f"beside/watch/{name}"))

    async def unwatch(self, name: str) -> None:
        """Have it noted no more; a worker that is away forgets by itself."""
        asked = (self.ask("DELETE", url, f"beside/watch/{name}") for url in self.urls)
        await asyncio.gather(*asked, return_exceptions=True)

    async def view(
        self, watch: str, source: str, addresses: Collection[str]
    ) -> tuple[dict[str, int], set[str]]:
        """Return since when something of each is open, and who has moved since the watch began."""
        since: dict[str, int] = {}
        moved: set[str] = set()

        async def ask() -> bool:
            left = [address for address in sorted(addresses) if address not in since]
            for standing in await self._view(watch, source, left):
                since.update(standing.open_since)
                moved.update(standing.moved)
            missing = len(addresses) - len(since)
            if missing:
                raise MovingError(f"the partitions of {missing} visitors have no owner now")
            return True

        await _patiently(ask)
        return since, moved

    async def states(self, source: str, addresses: Iterable[str]) -> dict[str, bytes]:
        """Return what is live of each address, encoded; of which nothing is, is left out."""
        asked, some = list(addresses), asyncio.Semaphore(SIDE_BY_SIDE)

        async def ask(address: str) -> bytes:
            async with some:
                return await _patiently(partial(self._state, source, address))

        found = zip(asked, await asyncio.gather(*map(ask, asked)), strict=True)
        return {address: state for address, state in found if state}

    # -- asking

    async def _state(self, source: str, address: str) -> bytes:
        question = {"source": source, "address": address}
        answer = await self.ask("GET", self.home(source, address), "live/state", params=question)
        return answer.content

    async def _view(self, watch: str, source: str, addresses: Iterable[str]) -> list[Standing]:
        """Ask the owners of those whose partition has one."""
        by_url: dict[str, list[str]] = defaultdict(list)
        for address in addresses:
            with suppress(MovingError):
                by_url[self.home(source, address)].append(address)
        found = []
        for url, mine in by_url.items():
            for start in range(0, len(mine), ASKED_AT_ONCE):
                question = Question(watch, source, mine[start : start + ASKED_AT_ONCE])
                body = msgspec.json.encode(question)
                answer = await self.ask("POST", url, "beside/view", content=body)
                found.append(msgspec.json.decode(answer.content, type=Standing))
        return found


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while partitions move, for as long as that may take; say once that it waits."""
    until = time.monotonic() + PATIENCE_SECONDS
    told = False
    while True:
        try:
            return await ask()
        except MovingError as error:
            if time.monotonic() > until:
                raise
            if not told:
                wait = f"{PATIENCE_SECONDS:.0f} s at most"
                logging.get("history").warning("waits for the workers", why=str(error), wait=wait)
                told = True
        await asyncio.sleep(PAUSE_SECONDS)
