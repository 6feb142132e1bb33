"""A clock that stands until it is moved."""


class ManualClock:
    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def move(self, by_ms: int) -> None:
        """Move forward, or back with a negative number."""
        self._now_ms += by_ms
