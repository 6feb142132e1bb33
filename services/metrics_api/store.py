"""Storage as the endpoints use it: named SQL files, bound parameters, a bounded pool of threads.

Storage blocks; a pool keeps it off the event loop, and a limit on what waits keeps a slow engine
from gathering requests without end: beyond it a caller is told to come again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Any, TypeVar

from services.common.errors import FatalError, InvalidError, OverloadedError
from services.common.metrics import Metrics
from services.common.ports import Storage

THREADS = 4
WAITING = 64

T = TypeVar("T")


@cache
def entity_sql(name: str) -> str:
    """Return the text of ``queries/entities/NAME.sql``."""
    folder = resources.files("services.metrics_api").joinpath("queries", "entities")
    return folder.joinpath(f"{name}.sql").read_text(encoding="utf-8")


class Store:
    """Runs reads in threads. Raises ``OverloadedError`` when too many wait already."""

    def __init__(self, storage: Storage, metrics: Metrics) -> None:
        self.storage = storage
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="read")
        self._in_flight = 0

    async def rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a named entity query."""
        return await self.run(name, lambda: self.storage.query(entity_sql(name), parameters))

    async def run(self, name: str, work: Callable[[], T]) -> T:
        """Do blocking work in the pool; ``name`` labels how long it took."""
        if self._in_flight >= WAITING:
            raise OverloadedError(f"{self._in_flight} reads wait for storage already")
        self._in_flight += 1
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            return await loop.run_in_executor(self._pool, work)
        except InvalidError as error:
            # What a caller gave was checked before: a statement storage refuses is our own fault.
            raise FatalError(f"query {name}: {error}") from error
        finally:
            self._in_flight -= 1
            self._metrics.observe("waymark_query_seconds", loop.time() - started, endpoint=name)

    def close(self) -> None:
        """Let go of the threads; reads under way end first."""
        self._pool.shutdown(wait=True)
