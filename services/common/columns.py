"""Rows that storage takes faster as columns than as JSON lines."""

from abc import abstractmethod
from collections.abc import Sequence


class Columns(Sequence[bytes]):
    """JSON rows, made only where someone looks at them, and the same rows as columns."""

    @abstractmethod
    def arrow(self) -> bytes:
        """Return the rows as one Arrow stream; ``InvalidError`` where a value does not fit it."""

    @abstractmethod
    def times_before(self, than_ms: int) -> dict[str, set[int]]:
        """Return by source the times (epoch ms) of rows that are earlier."""
