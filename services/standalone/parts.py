"""All that lives on a data folder, opened in order and closed in reverse: one for all uses.

``waymark run`` starts its threads; a command on a stopped folder uses the same parts without.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from schemas.spans import DAY_MS, HOUR_MS
from services.common.catalog import Catalog
from services.common.clickhouse import ClickHouse, open_storage
from services.common.clock import SystemClock
from services.common.metrics import Metrics
from services.common.policy_file import policy_of
from services.common.ports import Clock
from services.common.rules import CatalogRules
from services.common.settings import Settings
from services.loader.chores import Sealing, StorageRetention
from services.loader.marks import MarkingSink
from services.loader.migrate import migrate
from services.sessionizer.core.partition import Partition
from services.standalone.engine import Engine
from services.standalone.folder import Folder
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates
from services.standalone.upkeep import LogRetention
from services.standalone.worker import OnFatal


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What stands on one data folder. Whoever opens it holds the folder's lock."""

    settings: Settings
    folder: Folder
    clock: Clock
    metrics: Metrics
    catalog: Catalog
    rules: CatalogRules
    log: SqliteLog
    states: SqliteStates
    storage: ClickHouse
    retention: LogRetention
    engine: Engine
    closing: ExitStack

    def close(self) -> None:
        """Close everything; the engine's threads have ended before."""
        self.closing.close()

    def __enter__(self) -> Self:
        """Hold the parts for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them at the block's end."""
        self.close()


def open_parts(
    settings: Settings,
    on_fatal: OnFatal,
    clock: Clock | None = None,
    storage: ClickHouse | None = None,
) -> Parts:
    """Open or make everything in the data folder; ``UnavailableError`` says what would not open.

    ``storage`` takes the place of the folder's own (a process can open one embedded store only).
    """
    folder, clock, metrics = Folder(settings.data), clock or SystemClock(), Metrics()
    policy = policy_of(settings.policy)
    with ExitStack() as opened:
        catalog = Catalog(folder.catalog, clock, settings.write_keys, settings.read_tokens)
        opened.callback(catalog.close)
        rules = CatalogRules(catalog, policy)
        log = SqliteLog(
            folder.log,
            clock,
            on_fatal=on_fatal,
            metrics=metrics,
            limit_bytes=settings.in_flight_bytes,
        )
        opened.callback(log.close)
        states = SqliteStates(folder.state)
        opened.callback(states.close)
        storage = _open_storage(folder, opened) if storage is None else storage
        migrate(storage)
        retention = _retention(settings, log, states)
        sealing = Sealing(storage, catalog, log.append_ms)
        forgetting = StorageRetention(
            storage, catalog, log.append_ms, settings.events_keep_days * DAY_MS
        )
        engine = Engine(
            Partition(rules, states, states.meta(), time=policy.time),
            log,
            states,
            MarkingSink(storage, clock),
            metrics=metrics,
            chores=(retention.run, sealing.run, forgetting.run),
            on_fatal=on_fatal,
        )
        return Parts(
            settings=settings,
            folder=folder,
            clock=clock,
            metrics=metrics,
            catalog=catalog,
            rules=rules,
            log=log,
            states=states,
            storage=storage,
            retention=retention,
            engine=engine,
            closing=opened.pop_all(),
        )


def _retention(settings: Settings, log: SqliteLog, states: SqliteStates) -> LogRetention:
    return LogRetention(
        log,
        states,
        keep_ms=settings.log_keep_hours * HOUR_MS,
        keep_bytes=settings.log_keep_bytes,
    )


def _open_storage(folder: Folder, opened: ExitStack) -> ClickHouse:
    storage = open_storage(f"chdb://{folder.clickhouse.resolve()}")
    opened.callback(storage.close)
    return storage
