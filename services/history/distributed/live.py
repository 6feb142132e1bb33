"""The ``Live`` of a rebuild beside workers on Kafka (``services/history/beside.py``; ADR 11).

The fold is many workers', and is not held: whoever moves in every round is left for the next night.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from services.common.ports import Clock, Outgoing
from services.common.settings import Settings
from services.history.beside import View, Watch
from services.history.distributed.background import Background
from services.history.distributed.brokers import OUTPUTS, Brokers, Places
from services.history.distributed.workers import Workers
from services.history.installation import Standing
from services.sessionizer.core.collect import VERSION_SHIFT
from services.sessionizer.core.policy import Policy


class Link:
    """Brokers and workers, asked from a thread. ``append`` writes into the log."""

    def __init__(self, settings: Settings) -> None:
        """Describe it; nothing is connected before it is opened."""
        self._background = Background()
        self._brokers = Brokers(settings)
        self._workers = Workers(settings)
        self._opened = AsyncExitStack()

    def open(self) -> None:
        """Connect. Raises ``UnavailableError`` where Kafka does not answer."""
        self._background.run(self._open())

    def close(self) -> None:
        """Disconnect."""
        try:
            self._background.run(self._opened.aclose())
        finally:
            self._background.close()

    def append(self, items: Sequence[Outgoing]) -> None:
        """Make lines durable in the log."""
        self._background.run(self._brokers.append(items))

    def differs(self, policy: Policy) -> str:
        """Say by which other policy of the installation workers fold; "" where by none."""
        return self._workers.differs(policy)

    def settle(self) -> None:
        """Return once storage has all that the workers have read and stated by now."""
        self._background.run(self._settle())

    def read_on(self) -> int:
        """Return once the workers have folded and stored all of the log; the newest clock then."""
        return self._background.run(self._read_on())

    def watch(self, name: str) -> None:
        """Have it noted whose state moves."""
        self._background.run(self._workers.watch(name))

    def unwatch(self, name: str) -> None:
        """Have it noted no more."""
        self._background.run(self._workers.unwatch(name))

    def view(
        self, watch: str, source: str, visitors: Collection[str]
    ) -> tuple[dict[str, int], set[str]]:
        """Return what is open of the visitors, and who of them has moved."""
        return self._background.run(self._workers.view(watch, source, visitors))

    def states(self, source: str, addresses: Iterable[str]) -> dict[str, bytes]:
        """Return what is live of each address, encoded; of which nothing is, is left out."""
        return self._background.run(self._workers.states(source, addresses))

    async def _open(self) -> None:
        await self._brokers.start()
        self._opened.push_async_callback(self._brokers.stop)
        self._opened.push_async_callback(self._workers.stop)  # half a start ends too
        await self._workers.start()

    async def _settle(self) -> None:
        stored = await self._workers.stored()
        read = self._brokers.log({number: one.last for number, one in stored.items()})
        await self._brokers.until_loaded(read | await self._brokers.ends(*OUTPUTS))

    async def _read_on(self) -> int:
        clock_ms = 0

        async def lasts() -> Places:
            nonlocal clock_ms
            stored = await self._workers.stored()
            clock_ms = max(one.clock_ms for one in stored.values())
            return self._brokers.log({number: one.last for number, one in stored.items()})

        ends = await self._brokers.ends("events")
        await self._brokers.until_folded(ends, lasts)
        return clock_ms


@contextmanager
def linked(settings: Settings) -> Iterator[Link]:
    """Open a link for a block."""
    link = Link(settings)
    try:
        link.open()
        yield link
    finally:
        link.close()


class LiveWorkers:
    """The folds of all workers beside a rebuild."""

    def __init__(self, link: Link, clock: Clock) -> None:
        """Ask over this link."""
        self._link = link
        self._clock = clock

    def standing(self) -> Standing:
        """Return a rebuild's time and version: above all that is stated, below all that will be.

        Once all of the log is folded, whatever is stated later is stated by a later append time.
        """
        clock_ms = self._link.read_on()
        return Standing(max(self._clock.now_ms(), clock_ms), clock_ms << VERSION_SHIFT, self)

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Note whose state is stored anew during the block."""
        name = uuid.uuid4().hex
        self._link.watch(name)
        try:
            yield _Watched(self._link, self._clock, name)
        finally:
            self._link.unwatch(name)

    @contextmanager
    def held(self) -> Iterator[Watch]:
        """Do as ``watched``: nothing is held."""
        with self.watched() as watch:
            yield watch


class _Watched:
    """One watch."""

    def __init__(self, link: Link, clock: Clock, name: str) -> None:
        self._link = link
        self._clock = clock
        self._name = name

    def settle(self) -> None:
        """Wait until storage has all that is read and stated by now."""
        self._link.settle()

    def view(self, source: str, visitors: Collection[str]) -> View:
        """Return how things stand once the workers have folded all that the log has by now."""
        clock_ms = self._link.read_on()
        as_of_ms = max(self._clock.now_ms(), clock_ms)
        since, moved = self._link.view(self._name, source, visitors)
        return View(as_of_ms, since, frozenset(moved))
