"""The log's own clock: the greatest append time seen, and how long absence decides nothing.

DESIGN, *The log*. A hole of more than 10 s between append times is a stall; while clients' queues
drain after it, nobody is declared gone.
"""

from services.sessionizer.core.policy import Time


class LogClock:
    """Where a partition's time stands; ``hold_ms`` is when absence may decide again."""

    __slots__ = ("_time", "clock_ms", "hold_ms")

    def __init__(self, clock_ms: int, hold_ms: int, time: Time) -> None:
        self._time = time
        self.clock_ms = clock_ms
        self.hold_ms = hold_ms

    def move(self, append_ms: int) -> None:
        """Take a record's append time; the clock never goes back."""
        hole = append_ms - self.clock_ms
        if hole <= 0:
            return
        time = self._time
        if self.clock_ms and hole > time.stall_ms:
            hold = append_ms + min(max(hole, time.hold_min_ms), time.hold_max_ms)
            self.hold_ms = max(self.hold_ms, hold)
        self.clock_ms = append_ms
