"""The threads of one process and how they hang together.

    ingest ──▶ log writer ──▶ log.db ──▶ sessionizer ──▶ state.db ──▶ loader ──▶ storage
                    ▲                                       │
                    └──────────── forwarder ◀───────────────┘

Each thread owns what it moves; they meet only in the two databases. An error nobody foresaw in any
of them ends the process (``on_fatal``): everything acknowledged is on disk, and the next start
goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from services.common.errors import RetryableError
from services.common.metrics import Metrics
from services.common.ports import Sink
from services.standalone.feed import Feed
from services.standalone.fold import Fold
from services.standalone.forwarder import Forwarder
from services.standalone.loader import Loader
from services.standalone.log import SqliteLog
from services.standalone.sessionizer import Sessionizer
from services.standalone.state_store import SqliteStates
from services.standalone.upkeep import Upkeep
from services.standalone.worker import OnFatal, Worker

T = TypeVar("T")


class Engine:
    """Everything between the log and storage. ``start`` begins the threads, ``stop`` ends them."""

    def __init__(
        self,
        fold: Fold,
        log: SqliteLog,
        states: SqliteStates,
        sink: Sink,
        *,
        metrics: Metrics,
        chores: Sequence[Callable[[], object]] = (),
        on_fatal: OnFatal,
    ) -> None:
        """Tie the loops together; nothing runs yet."""
        self.log = log
        self.states = states
        self.feed = Feed()
        self.fold = fold
        self.forwarder = Forwarder(states, log)
        self.loader = Loader(log, states, sink, metrics)
        self.upkeep = Upkeep(chores)
        self._forwarding = Worker("forwarder", self.forwarder.turn, on_fatal)
        self.sessionizer = Sessionizer(
            fold,
            log,
            states,
            on_signals=self.feed.publish,
            on_commit=self._forwarding.wake,
            metrics=metrics,
        )
        self._folding = Worker("sessionizer", self.sessionizer.turn, on_fatal)
        self._loading = Worker("loader", self.loader.paced_turn, on_fatal)
        self._keeping = Worker("upkeep", self.upkeep.turn, on_fatal)
        self._workers = (self._folding, self._forwarding, self._loading, self._keeping)
        self._running = False
        metrics.follow("waymark_sessionizer_lag_records", self.lag)
        metrics.follow("waymark_loader_lag_records", lambda: log.end() - self.loader.loaded_to)
        metrics.follow("waymark_loader_outbox_rows", states.waiting_rows)

    def start(self) -> None:
        """Begin the threads."""
        self._running = True
        self.log.on_append(self._folding.wake)
        for worker in self._workers:
            worker.start()

    def stop(self, seconds: float) -> bool:
        """End the threads after their turns; return whether all ended in time."""
        self.feed.close()
        for worker in self._workers:
            worker.stop()
        self._running = False
        ended = [worker.join(seconds / len(self._workers)) for worker in self._workers]
        return all(ended)

    def ask(self, work: Callable[[Fold], T]) -> Future[T]:
        """Have the fold asked in its own thread, or here and now where none runs."""
        answer = self.sessionizer.call(work)
        if self._running:
            self._folding.wake()
        else:
            self.sessionizer.answer()
        return answer

    @contextmanager
    def paused(self) -> Iterator[Fold]:
        """Hold fold, forwarder and loader between two turns; ingest goes on into the log.

        The fold last: live views wait for it, not for the loader's turn to end.
        """
        held = (self._loading, self._forwarding, self._folding)
        for worker in held:
            worker.pause()
        try:
            yield self.fold
        finally:
            for worker in held:
                worker.resume()

    def load_applied(self) -> None:
        """Bring into storage what the fold has read and stated; only while the loops are held.

        Raises ``RetryableError`` where storage refuses it.
        """
        while self.loader.loaded_to < self.sessionizer.read_to or self.states.waiting_rows():
            self.loader.turn()
            if self.loader.trouble:
                raise RetryableError(self.loader.trouble)

    def catch_up(self) -> None:
        """Without threads: fold and load all that the log has (a command on a stopped folder)."""
        while self.lag():
            self.sessionizer.turn()
            if not self.lag():
                self.sessionizer.flush()
                self.forwarder.turn()
        while self.loader.loaded_to < self.log.end() or self.states.waiting_rows():
            self.loader.turn()

    def lag(self) -> int:
        """Return how many records the fold has not read yet; a new one has read to -1."""
        return self.log.end() - max(0, self.sessionizer.read_to)
