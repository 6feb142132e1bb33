"""What the commands on history need of an installation, of whatever shape."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from services.common.catalog import Catalog
from services.common.clickhouse import ClickHouse
from services.common.ports import Clock, Outgoing, Progress
from services.common.rules import CatalogRules
from services.common.settings import Settings
from services.history.beside import Live


class Standing(Struct, frozen=True):
    """The time and version of a rebuild that begins now, and the fold beside it.

    The version is above all that the fold has stated and below all that it will state.
    """

    as_of_ms: int
    version: int
    live: Live


class Log(Protocol):
    """The writing end of the log, for a thread."""

    def append(self, items: Sequence[Outgoing]) -> object:
        """Make lines durable; returns only when a crash can no longer lose them."""
        ...


class Installation(Protocol):
    """Settings, catalog, rules, storage, log; and the fold that goes on meanwhile."""

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...

    @property
    def clock(self) -> Clock:
        """The wall clock."""
        ...

    @property
    def catalog(self) -> Catalog:
        """Sources, keys, tokens."""
        ...

    @property
    def rules(self) -> CatalogRules:
        """The rules of each source."""
        ...

    @property
    def storage(self) -> ClickHouse:
        """Storage, migrated."""
        ...

    @property
    def log(self) -> Log:
        """The log."""
        ...

    @property
    def progress(self) -> Progress:
        """Told how far the work is."""
        ...

    def standing(self) -> Standing:
        """Return how a rebuild stands that begins now."""
        ...
