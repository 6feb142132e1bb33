"""What a rebuild must know of the live fold that goes on beside it.

Nothing stands still for a rebuild: it reads for as long as it needs, then asks for whom that has
become old meanwhile. Those are read again, in shorter and shorter rounds; only the last few, who
never rest, are read while the fold is held, a few at a time.
"""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from msgspec import Struct

from services.history.cut import NEVER


class View(Struct, frozen=True):
    """How the live fold stands to some visitors of a source, at one moment after they were read.

    ``open_since``: since when something of each is open live, ``NEVER`` for nothing. ``moved``:
    whose state has changed since the watch began, so that what was read of them may be old.
    """

    as_of_ms: int
    open_since: dict[str, int]
    moved: frozenset[str]


class Watch(Protocol):
    """One round of a rebuild, watched from before its first reading."""

    def settle(self) -> None:
        """Return once storage has all that the fold has read and stated by now.

        Raises ``RetryableError`` where that cannot be had.
        """
        ...

    def view(self, source: str, visitors: Collection[str]) -> View:
        """Return how things stand once the fold has read all that storage had when called."""
        ...


class Live(Protocol):
    """The fold beside a rebuild."""

    def watched(self) -> AbstractContextManager[Watch]:
        """Return a block during which the fold goes on, and whose state moves is noted."""
        ...

    def held(self) -> AbstractContextManager[Watch]:
        """Return a block during which the fold stands still: nobody moves."""
        ...


class NothingLive:
    """The ``Live`` and ``Watch`` of a store beside which nothing is folded."""

    def __init__(self, as_of_ms: int) -> None:
        """State everything as of this time."""
        self._as_of_ms = as_of_ms

    def settle(self) -> None:
        """Do nothing: all is there."""

    def view(self, source: str, visitors: Collection[str]) -> View:
        """Return that nothing is open and nobody has moved."""
        del source
        return View(self._as_of_ms, dict.fromkeys(visitors, NEVER), frozenset())

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Return itself."""
        yield self

    @contextmanager
    def held(self) -> Iterator[Watch]:
        """Return itself."""
        yield self
