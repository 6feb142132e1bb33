"""Deadlines of a partition in a wheel of seconds: compact, and lazily corrected.

A key stands in at most one slot that matters: the second at or before which it must be looked at.
Whoever moves a deadline *later* leaves the slot alone; when it comes round, the key is looked at,
found not yet due, and put where it now belongs. So an event costs the wheel nothing.
"""

from collections.abc import Iterator
from heapq import heappop, heappush


class Wheel:
    """Keys by the second in which they fall due; the second now running is a small heap by ms."""

    def __init__(self) -> None:
        self._slots: dict[int, list[str]] = {}
        self._seconds: list[int] = []
        self._soon: list[tuple[int, str]] = []

    def add(self, second: int, key: str) -> None:
        """Have the key looked at as soon as the clock enters the second."""
        slot = self._slots.get(second)
        if slot is None:
            self._slots[second] = [key]
            heappush(self._seconds, second)
        else:
            slot.append(key)

    def add_soon(self, due_ms: int, key: str) -> None:
        """Have the key looked at at exactly the millisecond, which lies in a second begun."""
        heappush(self._soon, (due_ms, key))

    def due(self, clock_ms: int) -> Iterator[str]:
        """Yield keys to look at now; the caller may add keys meanwhile."""
        second = clock_ms // 1000
        seconds = self._seconds
        while seconds and seconds[0] <= second:
            yield from self._slots.pop(heappop(seconds))
        soon = self._soon
        while soon and soon[0][0] <= clock_ms:
            yield heappop(soon)[1]

    def __len__(self) -> int:
        return sum(map(len, self._slots.values())) + len(self._soon)
