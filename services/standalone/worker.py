"""A thread that takes turns, can be woken, paused between turns, and ends the process loudly.

A turn returns how many seconds it can wait; 0 means there is more to do. Whatever a turn raises is
unknown, and unknown means the end: going on could lose or double something.
"""

import threading
from collections.abc import Callable

OnFatal = Callable[[BaseException], None]


class Worker:
    """One named loop of turns."""

    def __init__(self, name: str, turn: Callable[[], float], on_fatal: OnFatal) -> None:
        """Prepare the loop; ``start`` begins it."""
        self._turn = turn
        self._on_fatal = on_fatal
        self._stirred = threading.Event()
        self._gate = threading.Condition()
        self._busy = False
        self._paused = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin taking turns."""
        self._thread.start()

    def wake(self) -> None:
        """Have the next turn come now; cheap, and callable from any thread."""
        self._stirred.set()

    def stop(self) -> None:
        """Ask for the end; the turn under way finishes."""
        with self._gate:
            self._stopping = True
            self._gate.notify_all()
        self.wake()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the end; return whether it has come."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def pause(self) -> None:
        """Return once no turn is under way; none begins until ``resume``."""
        with self._gate:
            self._paused += 1
            self._gate.wait_for(lambda: not self._busy)

    def resume(self) -> None:
        """Let turns begin again."""
        with self._gate:
            self._paused -= 1
            self._gate.notify_all()
        self.wake()

    def _run(self) -> None:
        try:
            while self._begin():
                self._stirred.clear()
                try:
                    seconds = self._turn()
                finally:
                    self._finish()
                if seconds > 0:
                    self._stirred.wait(seconds)
        except BaseException as error:  # noqa: BLE001 - the loop's edge: unknown means the end
            self._on_fatal(error)

    def _begin(self) -> bool:
        with self._gate:
            self._gate.wait_for(lambda: not self._paused or self._stopping)
            self._busy = not self._stopping
            return self._busy

    def _finish(self) -> None:
        with self._gate:
            self._busy = False
            self._gate.notify_all()
