"""What a rebuild asks of the fold that goes on beside it (``services/history/beside.py``)."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from services.common.errors import RetryableError
from services.history.beside import View, Watch
from services.sessionizer.frontier import open_since_ms
from services.standalone.fold import Fold

if TYPE_CHECKING:
    from services.standalone.admin.context import AdminContext

T = TypeVar("T")
ASKED_AT_ONCE = 200
"""So many visitors go into one question; the live view waits a few ms for it."""
POLL_SECONDS = 0.01


class LiveFold:
    """The ``Live`` of a data folder, whether its loops run or not."""

    def __init__(self, context: "AdminContext") -> None:
        """Ask the fold of this installation."""
        self._context = context

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Note whose state is stored anew during the block."""
        with self._context.engine.sessionizer.watched() as moved:
            yield _Beside(self._context, moved)

    @contextmanager
    def held(self) -> Iterator[Watch]:
        """Hold the fold for the block; live views wait for it."""
        with self._context.paused() as fold:
            yield _Held(self._context, fold)


class _Asking(ABC):
    """How a fold stands to some visitors."""

    def __init__(self, context: "AdminContext", moved: set[bytes]) -> None:
        self.context = context
        self.moved = moved

    @abstractmethod
    def ask(self, work: Callable[[Fold], T]) -> T:
        """Have the fold asked while nobody else moves it."""

    def stored(self, _fold: Fold) -> int:
        """Store what is applied; return how far the fold has read."""
        sessionizer = self.context.engine.sessionizer
        if not sessionizer.flush():
            raise RetryableError(sessionizer.trouble)
        return sessionizer.read_to

    def view(self, source: str, visitors: Collection[str]) -> View:
        """Return what is open of the visitors, and who of them has moved, a few at a time."""
        self.read_on(self.context.engine.loader.loaded_to)
        now_ms = max(self.context.clock.now_ms(), self.ask(lambda fold: fold.clock_ms))
        since: dict[str, int] = {}
        moved: set[str] = set()
        asked = sorted(visitors)
        for start in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[start : start + ASKED_AT_ONCE]
            found, gone = self.ask(partial(self._look, source=source, some=some))
            since |= found
            moved |= gone
        return View(now_ms, since, frozenset(moved))

    def _look(self, fold: Fold, source: str, some: list[str]) -> tuple[dict[str, int], set[str]]:
        self.stored(fold)
        since: dict[str, int] = {}
        moved: set[str] = set()
        for visitor in some:
            key = f"{source}\x1f{visitor}".encode()
            at_rest = open_since_ms(self.context.states.get(key))
            # What waits may open something that nothing at rest knows of yet.
            since[visitor] = min(at_rest, open_since_ms(fold.live_state(source, visitor)))
            if key in self.moved:
                moved.add(visitor)
        return since, moved

    @abstractmethod
    def read_on(self, offset: int) -> None:
        """Return once the fold has read the log up to an offset."""


class _Beside(_Asking):
    """The fold goes on; it is asked between two records."""

    def ask(self, work: Callable[[Fold], T]) -> T:
        return self.context.with_fold(work)

    def settle(self) -> None:
        """Wait until the loader has brought all into storage that was there when called."""
        engine, states = self.context.engine, self.context.states
        read_to = self.ask(self.stored)
        newest = states.newest_row()
        self._until(
            lambda: engine.loader.loaded_to >= read_to and not 0 < states.oldest_row() <= newest,
            lambda: engine.loader.trouble,
        )

    def read_on(self, offset: int) -> None:
        """Wait until the fold has read as far."""
        sessionizer = self.context.engine.sessionizer
        # A new fold has read to -1, and a new loader has loaded to 0.
        self._until(lambda: max(0, sessionizer.read_to) >= offset, lambda: sessionizer.trouble)

    def _until(self, done: Callable[[], bool], trouble: Callable[[], str]) -> None:
        """Wait for the loops, or take their turns where none runs."""
        if not self.context.running:
            self.context.engine.catch_up()
        while not done():
            if trouble():
                raise RetryableError(trouble())
            time.sleep(POLL_SECONDS)


class _Held(_Asking):
    """The fold stands still and is moved by nobody else."""

    def __init__(self, context: "AdminContext", fold: Fold) -> None:
        super().__init__(context, set())
        self._fold = fold

    def ask(self, work: Callable[[Fold], T]) -> T:
        return work(self._fold)

    def settle(self) -> None:
        """Bring all into storage."""
        self.stored(self._fold)
        self.context.engine.load_applied()

    def read_on(self, offset: int) -> None:
        """Read as far."""
        sessionizer = self.context.engine.sessionizer
        while max(0, sessionizer.read_to) < offset:
            sessionizer.turn()
            if sessionizer.trouble:
                raise RetryableError(sessionizer.trouble)
