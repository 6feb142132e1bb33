"""What the engine needs of the partition machine: the shape of ``core.partition.Partition``."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from schemas.event import Event
from schemas.rows import CartRow, SignalRow
from services.common.ports import Changes, LogRecord
from services.sessionizer.core.intake import Tally


class Unreadable(Protocol):
    """A line of the log that is no canonical event."""

    @property
    def offset(self) -> int:
        """The record it lay in."""
        ...

    @property
    def line(self) -> int:
        """Its place in the record, from 0."""
        ...

    @property
    def original(self) -> bytes:
        """Its bytes."""
        ...

    @property
    def reason(self) -> str:
        """Why it could not be read."""
        ...


class Fold(Protocol):
    """The fold of one partition; used by one thread at a time."""

    @property
    def tally(self) -> Tally:
        """What became of the events since it was started."""
        ...

    @property
    def clock_ms(self) -> int:
        """The partition's clock: the greatest append time seen."""
        ...

    @property
    def applied(self) -> int:
        """The newest record all of whose events have settled."""
        ...

    def apply(self, record: LogRecord, most: int | None = None) -> Sequence[Unreadable]:
        """Admit a record's events, do what is due, and return the lines it could not read."""
        ...

    @property
    def more_due(self) -> bool:
        """Whether more was due than ``most``."""
        ...

    def fire(self, most: int | None = None) -> None:
        """Do the next of it."""
        ...

    def take(self) -> Changes:
        """Return all that changed since the last take."""
        ...

    def committed(self) -> None:
        """Make what was taken the state from which the fold goes on."""
        ...

    def strike(
        self,
        keys: Iterable[str],
        left: Callable[[bytes, bytes], bytes | None],
        gone: Callable[[Event], bool],
    ) -> int:
        """Change some states and drop what waits and is gone; return how many states changed."""
        ...

    def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state."""
        ...

    def live_cart(self, source: str, visitor_id: str, cart_id: str) -> CartRow | None:
        """Return a visitor's cart as it stands now, None for one not remembered."""
        ...

    def live_state(self, source: str, address: str) -> bytes | None:
        """Return the encoded state of an address with what waits folded in."""
        ...

    def unsettled(self, source: str, address: str) -> bytes | None:
        """Return an address's encoded state with what waits beside it."""
        ...

    def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors active in the last half hour, by stage."""
        ...

    def open_carts(self, source: str) -> int:
        """Return how many carts are open."""
        ...

    def live_signals(self) -> list[SignalRow]:
        """Return the signals that waiting events alone have made."""
        ...
