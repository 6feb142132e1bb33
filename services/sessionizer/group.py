"""How much is folded and stored in one transaction.

A transaction costs several milliseconds whatever it holds, so one of a few small records would cost
more than their fold. One of very many events holds up the loop, is long under way, and is long to
make again after a crash. Bounded are therefore events and bytes; a record that is over a bound by
itself goes alone.
"""

import time

from msgspec import Struct

EVENTS = 5_000
BYTES = 2 << 20
"""Of the records' values."""
SECONDS = 0.1


class Group(Struct):
    """The records folded since the last transaction was taken. Ticks count as events."""

    records: int = 0
    events: int = 0
    size: int = 0
    since: float = 0.0

    def fits(self, value: bytes | None) -> bool:
        """Tell whether a record may join without any bound being passed."""
        if not self.records:
            return True
        more = value or b""
        return self.events + _events(more) <= EVENTS and self.size + len(more) <= BYTES

    @property
    def full(self) -> bool:
        """Tell whether it has as many events as it may."""
        return self.events >= EVENTS

    def add(self, value: bytes | None) -> None:
        """Count a record in."""
        more = value or b""
        self.add_due(_events(more))
        self.size += len(more)

    def add_due(self, states: int) -> None:
        """Count states in that were looked at since their time had come: as so many events."""
        if not self.records:
            self.since = time.monotonic()
        self.records += 1
        self.events += states

    @property
    def age(self) -> float:
        """Return for how many seconds the oldest record has waited, 0 where there is none."""
        return time.monotonic() - self.since if self.records else 0.0

    @property
    def due(self) -> bool:
        """Tell whether the oldest record has waited long enough."""
        return self.age >= SECONDS


def _events(value: bytes) -> int:
    """Return how many lines a record has: one more than it has line ends, blank lines included."""
    return value.count(b"\n") + 1
