"""An installation on Kafka and ClickHouse, as the commands on history know it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from services.common.catalog import Catalog
from services.common.catalog_topic import open_catalog
from services.common.clickhouse import ClickHouse
from services.common.clock import SystemClock
from services.common.errors import InvalidError
from services.common.policy_file import policy_of
from services.common.ports import Clock, Progress, nothing
from services.common.rules import CatalogRules
from services.common.settings import Settings
from services.history.distributed.live import Link, LiveWorkers, linked
from services.history.installation import Standing
from services.loader.warehouse import migrated


@dataclass(frozen=True, kw_only=True)
class Distributed:
    """Its parts. ``log`` is the link to brokers and workers."""

    settings: Settings
    clock: Clock
    catalog: Catalog
    rules: CatalogRules
    storage: ClickHouse
    log: Link
    progress: Progress = nothing

    def standing(self) -> Standing:
        """Return how a rebuild stands that begins now."""
        return LiveWorkers(self.log, self.clock).standing()


@contextmanager
def opened(settings: Settings, progress: Progress = nothing) -> Iterator[Distributed]:
    """Open the installation of the settings for a block.

    Raises ``UnavailableError`` where Kafka or storage does not answer.
    """
    if not settings.clickhouse.startswith("http"):
        raise InvalidError("WAYMARK_CLICKHOUSE names no server: http(s)://user:password@host/db")
    clock = SystemClock()
    with ExitStack() as closing:
        catalog = open_catalog(settings, clock)
        closing.callback(catalog.close)
        storage = migrated(settings)
        closing.callback(storage.close)
        link = closing.enter_context(linked(settings))
        yield Distributed(
            settings=settings,
            clock=clock,
            catalog=catalog,
            rules=CatalogRules(catalog, policy_of(settings.policy)),
            storage=storage,
            log=link,
            progress=progress,
        )
