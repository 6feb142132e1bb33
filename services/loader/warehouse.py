"""Storage as the loader reaches it: opened when it first answers, its tables made where missing."""

import threading

from services.common.clickhouse import INSERT_SECONDS, ClickHouse, open_storage
from services.common.errors import InvalidError, UnavailableError
from services.common.ports import Clock
from services.common.settings import Settings
from services.loader.marks import MarkingSink
from services.loader.migrate import applied, migrate


def migrated(settings: Settings) -> ClickHouse:
    """Open the storage of the settings and bring its tables to the newest form.

    A user who may not create tables gets an ``InvalidError`` that says what to run, where any is
    missing; where none is, it needs no such right.
    """
    cluster = settings.clickhouse_cluster
    storage = open_storage(settings.clickhouse, create=False, cluster=cluster)
    try:
        migrate(storage, cluster)
    except (InvalidError, UnavailableError):
        storage.close()
        storage = open_storage(settings.clickhouse, cluster=cluster)
        migrate(storage, cluster)
    return storage


def migrate_server(settings: Settings) -> dict[str, list[str]]:
    """Do as ``waymark migrate``: ``applied`` names what was missing, ``present`` all there is."""
    cluster = settings.clickhouse_cluster
    storage = open_storage(settings.clickhouse, cluster=cluster)
    try:
        fresh = migrate(storage, cluster)
        return {"applied": fresh, "present": sorted(applied(storage, cluster))}
    finally:
        storage.close()


class Warehouse:
    """Opens storage once; callable from several threads."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open what the settings name; nothing is asked yet."""
        if not settings.clickhouse:
            raise InvalidError("setting WAYMARK_CLICKHOUSE is empty: name the ClickHouse server")
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._storage: ClickHouse | None = None
        self._inserts: ClickHouse | None = None

    def storage(self) -> ClickHouse:
        """Return storage with current tables; ``UnavailableError`` while it does not answer."""
        with self._lock:
            if self._storage is None:
                self._storage = migrated(self._settings)
            return self._storage

    def sink(self) -> MarkingSink:
        """Return storage as rows are brought into it: a silent server is noticed soon."""
        self.storage()
        with self._lock:
            if self._inserts is None:
                self._inserts = open_storage(
                    self._settings.clickhouse,
                    create=False,
                    cluster=self._settings.clickhouse_cluster,
                    seconds=INSERT_SECONDS,
                )
            return MarkingSink(self._inserts, self._clock)

    def close(self) -> None:
        """Close what was opened."""
        for one in (self._storage, self._inserts):
            if one is not None:
                one.close()
