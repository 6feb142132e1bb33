"""``LiveView``: questions from the event loop to the fold, answered in the sessionizer's thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import msgspec

from services.common.errors import MovingError
from services.standalone.fold import Fold

PATIENCE_SECONDS = 5.0
"""Longer than any group of records takes; beyond it the fold stands still and HTTP says 503."""

T = TypeVar("T")


class Asked(Protocol):
    """Whoever can have the fold asked in its own thread."""

    def ask(self, work: Callable[[Fold], T]) -> Future[T]:
        """Have a question answered between two records."""
        ...


class EngineLive:
    """The live view of a process that folds itself."""

    def __init__(self, engine: Asked) -> None:
        """Ask this engine."""
        self._engine = engine

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state, None for one never seen."""
        return await ask(self._engine, lambda fold: fold.visitor(source, visitor_id))

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        """Return a visitor's cart as it stands now, None for one the live view forgot."""
        found = await ask(self._engine, lambda fold: fold.live_cart(source, visitor_id, cart_id))
        return None if found is None else msgspec.to_builtins(found)

    async def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors active in the last half hour of the log's clock, by stage."""
        return await ask(self._engine, lambda fold: fold.live_visitors(source))

    async def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return await ask(self._engine, lambda fold: fold.open_carts(source))

    async def clock_ms(self) -> int:
        """Return the log's clock."""
        return await ask(self._engine, lambda fold: fold.clock_ms)

    async def signals(self, source: str) -> list[dict[str, Any]]:
        """Return the signals that waiting events alone have made."""
        found = await ask(self._engine, lambda fold: fold.live_signals())
        return [msgspec.to_builtins(row) for row in found if row.source == source]


async def ask(engine: Asked, work: Callable[[Fold], T]) -> T:
    """Have the fold asked; raises ``MovingError`` where it does not answer in five seconds."""
    answer = asyncio.wrap_future(engine.ask(work))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except TimeoutError:
        raise MovingError(
            f"the sessionizer did not answer within {PATIENCE_SECONDS:.0f} s"
        ) from None
