"""Whether the event loop itself is the bottleneck: how late it turns to what is due.

What waits in a loop that cannot keep up is seen by no queue of ours: bytes in sockets, callbacks
behind callbacks. But a timer waits there with them. One late beat means nothing (a collection of
garbage, a busy machine); where every beat is late for a while, more comes than the loop can do.
"""

import asyncio
import time
from collections.abc import Callable

BEAT_SECONDS = 0.02
LATE_SECONDS = 0.03
"""A request goes through the loop about eight times, so it waits about eight times this long."""
PATIENCE_SECONDS = 0.15
BEATS = 3
"""So many beats in a row, and for so long, are late before the loop counts as behind."""
WARY_SECONDS = 2.0
"""It stays behind for this long after the last late beat, or refusal by a busy loop: few may come
in meanwhile, and then no beat is late, however many come."""
BUSY_SECONDS = 0.01
"""So late are beats in a row where the loop has no time to spare, however few may come in. Refusals
by an idle loop keep nothing up: what is under way waits elsewhere then (the log, slow senders)."""
COUNT_SECONDS = 0.5
WINDOW_SECONDS = 0.2
KEPT = 0.9
"""Of what was served, so much is expected the next time at least. Else a slow half second would let
fewer in, of whom fewer still are served, down to none."""


class Pulse:
    """Tells whether the loop is behind; used by one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Describe it; ``start`` begins to beat. The clock tells seconds, and never stands."""
        self._clock = clock
        self.behind = False
        self.refused = False
        """Whether anybody was refused since the last beat; whoever refuses says so."""
        self.served = 0
        """How many requests were served; whoever serves one counts it."""
        self.in_window = 0.0
        """How many can be served in ``WINDOW_SECONDS``, from how many lately were."""
        self._window = (0.0, 0)
        self._due = 0.0
        self._late = 0
        self._busy = 0
        self._calm_at = 0.0
        self._behind_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Beat in the running loop."""
        self._calm_at = self._clock()
        self._window = (self._calm_at, self.served)
        self._next(asyncio.get_running_loop())

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
        self.behind = False

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the loop's own time: it stands while the loop works.
        self._due = self._clock() + BEAT_SECONDS
        self._timer = loop.call_later(BEAT_SECONDS, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self._clock()
        late = now - self._due
        self._busy = self._busy + 1 if late > BUSY_SECONDS else 0
        if late <= LATE_SECONDS:
            self._late, self._calm_at = 0, now
        else:
            self._late += 1
        self._count(now)
        long = self._late >= BEATS and now - self._calm_at > PATIENCE_SECONDS
        turning_away = self.refused and self._busy >= BEATS
        if long or (self.behind and (self._late or turning_away)):
            self._behind_at = now
        self.behind = now - self._behind_at < WARY_SECONDS
        self.refused = False
        self._next(loop)

    def _count(self, now: float) -> None:
        began, before = self._window
        if now - began >= COUNT_SECONDS:
            served = (self.served - before) * WINDOW_SECONDS / (now - began)
            self.in_window = max(served, KEPT * self.in_window)
            self._window = (now, self.served)
