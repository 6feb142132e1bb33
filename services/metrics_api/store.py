"""Storage as the endpoints use it: named SQL files, bound parameters, a bounded pool of threads.

Storage blocks; a pool keeps it off the event loop, and a limit on what waits keeps a slow engine
from gathering requests without end: beyond it a caller is told to come again.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from services.common.asking import Asking, Question, Rows, answered, proceed
from services.common.clickhouse import POOL
from services.common.errors import FatalError, InvalidError, OverloadedError
from services.common.metrics import Metrics
from services.common.named_sql import NamedSql
from services.common.ports import Storage

THREADS = POOL - 1
"""One fewer than storage has clients, so that loading never waits behind slow reads."""
WAITING = 64

T = TypeVar("T")

entity_sql = NamedSql("services.metrics_api", "queries/entities")


class Trusted:
    """Storage whose refusal of a statement is our own fault, never the caller's.

    What callers give is checked before and bound, so that ``InvalidError`` from here would tell
    them 400, and our SQL with it, for a mistake of ours.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement with bound parameters and return its rows by column name."""
        try:
            return self._storage.query(sql, parameters)
        except InvalidError as error:
            raise FatalError(str(error)) from error

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[bytes]:
        """Run one statement and yield its rows as JSON lines, without holding them all."""
        return self._storage.stream(sql, parameters)

    def command(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        """Run a statement that returns nothing."""
        self._storage.command(sql, parameters)

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        """Insert JSON rows."""
        self._storage.insert(table, lines, token)


class AsyncReads(Protocol):
    """Storage that can be asked without a thread."""

    async def query(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run one statement with bound parameters and return its rows by column name."""
        ...


class Store:
    """Runs reads in threads, or without where ``reads`` can.

    Raises ``OverloadedError`` when too many wait already.
    """

    def __init__(self, storage: Storage, metrics: Metrics, reads: AsyncReads | None = None) -> None:
        self.storage = Trusted(storage)
        self._reads = reads
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="read")
        self._in_flight = 0

    async def rows(self, name: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a named entity query."""
        reads = self._reads
        if reads is None:
            return await self.run(name, lambda: self.storage.query(entity_sql(name), parameters))
        with self._counted(name):
            return await _trusted(reads, (entity_sql(name), parameters))

    async def answer(self, name: str, work: Asking[T]) -> T:
        """Do work that asks storage; ``name`` labels how long it took.

        Where ``reads`` can, a thread is held only for what lies between two questions: making many
        rows takes a processor, and nobody waits in it for storage.
        """
        reads = self._reads
        if reads is None:
            return await self.run(name, lambda: answered(self.storage, work))
        found: Rows | None = None
        with self._counted(name):
            while True:
                match await self._in_thread(partial(proceed, work, found)):
                    case None, value:
                        return value
                    case question, _:
                        found = await _trusted(reads, question)

    async def run(self, name: str, work: Callable[[], T]) -> T:
        """Do blocking work in the pool; ``name`` labels how long it took.

        It has its place until its thread is done, even when nobody waits for it any more: what a
        silent storage keeps cannot gather without end.
        """
        leave = self._enter(name)
        doing = asyncio.get_running_loop().run_in_executor(self._pool, work)
        doing.add_done_callback(lambda _: leave())
        return await asyncio.shield(doing)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        leave = self._enter(name)
        try:
            yield
        finally:
            leave()

    def _enter(self, name: str) -> Callable[[], None]:
        """Take a place; return what gives it back."""
        if self._in_flight >= WAITING:
            raise OverloadedError(f"{self._in_flight} reads wait for storage already")
        self._in_flight += 1
        started = time.monotonic()

        def leave() -> None:
            self._in_flight -= 1
            self._metrics.observe(
                "waymark_query_seconds", time.monotonic() - started, endpoint=name
            )

        return leave

    def close(self) -> None:
        """Let go of the threads; reads under way end first."""
        self._pool.shutdown(wait=True)


async def _trusted(reads: AsyncReads, question: Question) -> Rows:
    """Ask; a statement that is refused is our own fault, as ``Trusted`` has it."""
    try:
        return await reads.query(*question)
    except InvalidError as error:
        raise FatalError(str(error)) from error
