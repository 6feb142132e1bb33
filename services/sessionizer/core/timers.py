"""Deadlines of a partition in a wheel of seconds: compact, and lazily corrected.

A key stands in at most one slot that matters: the second at or before which it must be looked at.
Whoever moves a deadline *later* leaves the slot alone; when it comes round, the key is looked at,
found not yet due, and put where it now belongs. So an event costs the wheel nothing.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

_LENGTH = 4


class Wheel:
    """Keys by the second in which they fall due; the second now running is a small heap by ms.

    A slot is one byte array of keys, each after its length: a million waiting keys as objects
    would take twice the memory.
    """

    def __init__(self) -> None:
        self._slots: dict[int, bytearray] = {}
        self._seconds: list[int] = []
        self._soon: list[tuple[int, str]] = []

    def add(self, second: int, key: str) -> None:
        """Have the key looked at as soon as the clock enters the second."""
        self.add_bytes(second, key.encode())

    def add_bytes(self, second: int, data: bytes) -> None:
        """Do so with the key as it is at rest."""
        slot = self._slots.get(second)
        if slot is None:
            slot = self._slots[second] = bytearray()
            heappush(self._seconds, second)
        slot += len(data).to_bytes(_LENGTH, "big")
        slot += data

    def add_soon(self, due_ms: int, key: str) -> None:
        """Have the key looked at at exactly the millisecond, which lies in a second begun."""
        heappush(self._soon, (due_ms, key))

    def due(self, clock_ms: int) -> Iterator[str]:
        """Yield keys to look at now; the caller may add keys meanwhile."""
        second = clock_ms // 1000
        seconds = self._seconds
        while seconds and seconds[0] <= second:
            yield from _keys(self._slots.pop(heappop(seconds)))
        soon = self._soon
        while soon and soon[0][0] <= clock_ms:
            yield heappop(soon)[1]


def _keys(slot: bytearray) -> Iterator[str]:
    at = 0
    while at < len(slot):
        end = at + _LENGTH + int.from_bytes(slot[at : at + _LENGTH], "big")
        yield slot[at + _LENGTH : end].decode()
        at = end
