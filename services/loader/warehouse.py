"""Storage as the loader reaches it: opened when it first answers, its tables made where missing."""

import threading

from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import InvalidError
from services.common.ports import Clock
from services.common.settings import Settings
from services.loader.marks import MarkingSink
from services.loader.migrate import migrate


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

    def storage(self) -> ClickHouse:
        """Return storage with current tables; ``UnavailableError`` while it does not answer."""
        with self._lock:
            if self._storage is None:
                opened = open_storage(self._settings.clickhouse)
                migrate(opened)
                self._storage = opened
            return self._storage

    def sink(self) -> MarkingSink:
        """Return storage as rows are brought into it."""
        return MarkingSink(self.storage(), self._clock)

    def close(self) -> None:
        """Close what was opened."""
        if self._storage is not None:
            self._storage.close()
