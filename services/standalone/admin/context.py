"""What a command's handler is given. The same whether ``waymark run`` runs or not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from services.common.catalog import Catalog
from services.common.clickhouse import ClickHouse
from services.common.metrics import Metrics
from services.common.ports import Clock, Progress
from services.common.rules import CatalogRules
from services.common.settings import Settings
from services.history.installation import Standing
from services.sessionizer.core.collect import VERSION_SHIFT
from services.standalone.admin.beside import LiveFold
from services.standalone.engine import Engine
from services.standalone.fold import Fold
from services.standalone.folder import Folder
from services.standalone.log import SqliteLog
from services.standalone.parts import Parts
from services.standalone.state_store import SqliteStates

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class AdminContext:
    """The parts of an installation, as handlers use them.

    ``running`` tells whether ingest, fold and loader are at work beside the handler; where not, the
    fold and the loader have caught up with the log before the handler begins. ``progress`` may be
    called as often as one likes; it raises where the caller has gone away.
    """

    parts: Parts
    progress: Progress
    running: bool

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self.parts.settings

    @property
    def folder(self) -> Folder:
        """The data folder."""
        return self.parts.folder

    @property
    def clock(self) -> Clock:
        """The wall clock."""
        return self.parts.clock

    @property
    def metrics(self) -> Metrics:
        """The process's own metrics."""
        return self.parts.metrics

    @property
    def catalog(self) -> Catalog:
        """Sources, keys, tokens."""
        return self.parts.catalog

    @property
    def rules(self) -> CatalogRules:
        """The rules of each source; ``rules.policy`` is the installation's."""
        return self.parts.rules

    @property
    def storage(self) -> ClickHouse:
        """Storage, migrated."""
        return self.parts.storage

    @property
    def log(self) -> SqliteLog:
        """The log; its ``append`` makes lines durable and waits for it."""
        return self.parts.log

    @property
    def states(self) -> SqliteStates:
        """States, meta and outbox, as of the last commit."""
        return self.parts.states

    @property
    def engine(self) -> Engine:
        """The loops."""
        return self.parts.engine

    def with_fold(self, work: Callable[[Fold], T]) -> T:
        """Run work on the live fold between two records, without stopping anything."""
        return self.engine.ask(work).result()

    def standing(self) -> Standing:
        """Return how a rebuild stands that begins now."""
        clock_ms = self.with_fold(lambda fold: fold.clock_ms)
        meta = self.states.meta()
        return Standing(
            as_of_ms=max(self.clock.now_ms(), clock_ms),
            version=max(clock_ms << VERSION_SHIFT, meta.version if meta else 0),
            live=LiveFold(self),
        )

    @contextmanager
    def paused(self) -> Iterator[Fold]:
        """Hold fold, forwarder and loader still; ingest goes on into the log.

        What is applied is stored before the block begins. Keep it short: live views wait for it.
        """
        if not self.running:
            yield self.engine.fold
            return
        with self.engine.paused() as fold:
            self.engine.sessionizer.flush()
            yield fold
