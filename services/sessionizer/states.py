"""The states of one owned partition at rest: bytes by key, in memory, as of the last commit."""

from collections.abc import Iterator, Mapping


class States:
    """A ``StateReader`` over one dict; ``bytes`` is about what keys and values hold."""

    def __init__(self, kept: dict[bytes, bytes] | None = None) -> None:
        """Take over what a restore has read."""
        self._kept = {} if kept is None else kept
        self.get = self._kept.get  # asked for every visitor met: no call of ours in between
        self.bytes = sum(len(key) + len(value) for key, value in self._kept.items())

    def __len__(self) -> int:
        """Return how many addresses have a state."""
        return len(self._kept)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Return every key with its encoded state."""
        yield from self._kept.items()

    def commit(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Swap in what a committed transaction holds; None is gone."""
        for key, value in changes.items():
            before = self._kept.get(key)
            if before is not None:
                self.bytes -= len(key) + len(before)
            if value is not None:
                self._kept[key] = value
                self.bytes += len(key) + len(value)
            elif before is not None:
                del self._kept[key]
