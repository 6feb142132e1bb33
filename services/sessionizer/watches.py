"""Whose states a partition has stored anew since somebody began to watch.

For a rebuild beside the workers: whoever has not moved since its beginning may be replaced in
storage. A watch lives in its owner's memory; where the partition moves it is gone, and who asks
then must take everybody there as moved.
"""

import time
from collections.abc import Iterable

IDLE_SECONDS = 900.0
"""A watch that nobody has asked for so long has lost its watcher."""


class Watches:
    """The watches of one partition, by the names that their watchers gave them."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._moved: dict[str, set[bytes]] = {}
        self._asked: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """Note from now on; one that has begun goes on."""
        self._moved.setdefault(name, set())
        self._asked[name] = time.monotonic()

    def end(self, name: str) -> None:
        """Note no more."""
        self._moved.pop(name, None)
        self._asked.pop(name, None)

    def note(self, keys: Iterable[bytes]) -> None:
        """Note that these states were stored anew."""
        if not self._moved:
            return
        now = time.monotonic()
        for name in [name for name, at in self._asked.items() if now - at > IDLE_SECONDS]:
            self.end(name)
        for moved in self._moved.values():
            moved.update(keys)

    def has_moved(self, name: str, key: bytes) -> bool:
        """Tell whether a state has moved since the watch began; unknown watches know no better."""
        if name not in self._moved:
            return True
        self._asked[name] = time.monotonic()
        return key in self._moved[name]
