"""Start all, keep them running, stop all: the work of ``make run-distributed``.

A part that ends is started again, as an orchestrator would: kill one and watch nothing get lost.
One that ends again and again ends the run, with its last words.
"""

import time
from collections.abc import Sequence
from typing import NoReturn

from deploy.distributed.child import Child, EndedError

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 1.0
TRIES, WITHIN_SECONDS = 5, 60.0
"""So many starts in so many seconds are a fault that starting again does not mend."""


class Runner:
    """Runs children, and stops them in the reverse order of their start."""

    def __init__(self) -> None:
        """Begin with none."""
        self._children: list[Child] = []

    def start(self, children: Sequence[Child]) -> None:
        """Start some at once and wait until each answers; raises ``EndedError``."""
        for child in children:
            self._children.append(child)
            child.start()
        for child in children:
            while True:
                try:
                    child.wait_ready()
                    break
                except EndedError:
                    if not child.ended():
                        raise
                    self._again(child)

    def keep(self) -> NoReturn:
        """Start again what ends; raises ``EndedError`` where that is no use."""
        while True:
            time.sleep(LOOK_SECONDS)
            for child in self._children:
                if child.ended():
                    self._again(child)

    def _again(self, child: Child) -> None:
        recent = [at for at in child.started if at > time.monotonic() - WITHIN_SECONDS]
        if len(recent) >= TRIES:
            raise EndedError(f"{child.name} ends again and again:\n{child.last_words()}")
        print(f"{child.name} ended and is started again ({child.log})", flush=True)
        time.sleep(AGAIN_SECONDS)
        child.start()

    def end(self) -> None:
        """Stop all, the last started first."""
        for child in reversed(self._children):
            child.stop()
