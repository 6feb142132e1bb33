"""The system clock behind the ``Clock`` port; tests pass their own."""

import time


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Return epoch milliseconds."""
        return time.time_ns() // 1_000_000
