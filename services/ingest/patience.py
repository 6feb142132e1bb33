"""How long a client may take to send its body: one timer for all requests under way.

A timer a request costs more than reading most bodies; here a request costs one entry in a table,
which is swept a few times within the time allowed.
"""

import asyncio

SWEEPS = 4
"""Within the time allowed; so a wait ends at most a quarter of it late."""

Wait = asyncio.Task[object]


class Patience:
    """Cancels waits that take too long; used by one event loop."""

    def __init__(self, seconds: float) -> None:
        """Allow each wait so many seconds."""
        self.seconds = seconds
        self._ends: dict[Wait, float] = {}
        self._expired: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> Wait:
        """Start the time of the current task; ``end`` must follow."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        loop = task.get_loop()
        self._ends[task] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds / SWEEPS, self._sweep, loop)
        return task

    def end(self, task: Wait) -> bool:
        """Stop the time of a wait; tell whether it was cancelled for having taken too long."""
        self._ends.pop(task, None)
        if task not in self._expired:
            return False
        self._expired.discard(task)
        task.uncancel()
        return True

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, ends in self._ends.items():
            if ends > now:  # those that follow began later
                break
            if task not in self._expired:
                self._expired.add(task)
                task.cancel()
        waits = bool(self._ends)
        self._timer = loop.call_later(self.seconds / SWEEPS, self._sweep, loop) if waits else None
