"""Faust's table and store, as the place where a worker gains and loses partitions.

Faust awaits ``on_rebalance`` of a table's store before its own recovery begins. Ours fences,
restores in bulk and drops there, and then answers ``persisted_offset`` with the end of the
changelog, so that Faust's recovery finds nothing left to do and starts the streams. Nothing is ever
written through the table: states are changed in the owners' transactions alone.
"""

from collections.abc import Callable
from typing import Any

from faust import Table
from faust.stores.memory import Store

from services.sessionizer.owners import Owners

OnFatal = Callable[[BaseException], None]


class OwnersStore(Store[Any, Any]):
    """A store whose contents are the owners' states, a dict a partition of the source topic."""

    def __init__(
        self, *args: Any, source: str, owners: Owners, on_fatal: OnFatal, **options: Any
    ) -> None:
        """Hand rebalances of this source topic to these owners."""
        super().__init__(*args, **options)
        self._source = source
        self._owners = owners
        self._on_fatal = on_fatal

    async def on_rebalance(
        self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0
    ) -> None:
        """Own what of the changelog is assigned; what fails here is fatal."""
        del revoked, newly_assigned  # told against Faust's own memory; the owners have theirs
        mine = {tp.partition for tp in assigned if tp.topic == self._source}
        try:
            await self._owners.assign(mine, generation_id)
        except BaseException as error:  # noqa: BLE001 - Faust would only log it
            self._on_fatal(error)

    def persisted_offset(self, tp: Any) -> int:
        """Return the last offset of the changelog: there is nothing left to recover."""
        return self._owners.changelog_end(tp.partition) - 1


class OwnersTable(Table[Any, Any]):
    """A table on such a store."""

    def __init__(
        self, *args: Any, source: str, owners: Owners, on_fatal: OnFatal, **options: Any
    ) -> None:
        """Pass rebalances of the source topic on to these owners."""
        self._for_store: dict[str, Any] = {
            "source": source,
            "owners": owners,
            "on_fatal": on_fatal,
        }
        super().__init__(*args, **options)

    def _new_store(self) -> Any:
        return OwnersStore(
            "memory://",
            self.app,
            self,
            table_name=self.name,
            **self._for_store,
        )

    def on_key_set(self, key: Any, value: Any) -> None:
        """Refuse: a state changes in its owner's transaction."""
        del key, value
        raise TypeError(f"{self.name} is written by its owners' transactions alone")

    def on_key_del(self, key: Any) -> None:
        """Refuse, likewise."""
        del key
        raise TypeError(f"{self.name} is written by its owners' transactions alone")
