"""An event loop in which time passes by waiting alone: what is due first comes first, at once.

However slow the machine is, whoever sleeps for less is awake before whoever sleeps for longer, and
nobody is late. Nothing from outside of the loop (sockets, threads, processes) can be waited for.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


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
    """A loop whose time is what was waited for, or worked, in it."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds since it was made."""
        return self._skipping.waited

    def work(self, seconds: float) -> None:
        """Let time pass in which the loop does nothing else."""
        self._skipping.waited += seconds


def hurried(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in such a loop."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=HurriedLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """Return the running loop's time."""
    return asyncio.get_running_loop().time()


def work(seconds: float) -> None:
    """Keep the running loop, a hurried one, busy for so long."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HurriedLoop)
    loop.work(seconds)
