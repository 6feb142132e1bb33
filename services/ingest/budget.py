"""Bytes in flight: what ingest holds of requests that it has not answered yet.

Every byte that waits is charged before it is kept, so memory is bounded by the limit however many
clients come; what does not fit is refused at once with 429.
"""

from typing import Self

from services.ingest.answers import retry_later

LEAST = 2_048
"""Charged for any request: what its connection and objects hold beside the body."""


class Budget:
    """Counts bytes in flight against a limit; one a process, used by its event loop alone."""

    def __init__(self, limit: int) -> None:
        """Start empty; ``limit`` is in bytes."""
        self.limit = limit
        self.used = 0


class Lease:
    """What one request holds; all of it is given back when the block ends."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget) -> None:
        """Hold nothing yet; entering the block holds the least."""
        self._budget = budget
        self.held = 0

    def hold(self, total: int) -> None:
        """Hold so many bytes in all from now on; raises the 429 refusal where they do not fit."""
        budget = self._budget
        more = max(total, LEAST) - self.held
        if more > 0 and budget.used + more > budget.limit:
            raise retry_later("overloaded", "too many bytes in flight; come again shortly")
        budget.used += more
        self.held += more

    def __enter__(self) -> Self:
        self.hold(LEAST)
        return self

    def __exit__(self, *_error: object) -> None:
        self._budget.used -= self.held
        self.held = 0
