"""An event loop in which time passes by waiting alone: what is due first comes first, at once.

However slow the machine is, whoever sleeps for less is awake before whoever sleeps for longer, and
nobody is late. Nothing from outside of the loop (sockets, threads, processes) can be waited for.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.SelectSelector):
    """Waits for nothing, and adds up for how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for something that time alone does not bring")
        self.waited += max(0.0, timeout)
        return super().select(0)


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop whose time is what was waited for in it."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds waited for since it was made."""
        return self._skipping.waited


def hurried(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end in such a loop."""
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        return runner.run(work)
