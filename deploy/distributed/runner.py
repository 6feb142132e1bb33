"""Start all, keep them running, stop all: the work of ``make run-distributed``.

A part that ends is started again, as an orchestrator would: kill one and watch nothing get lost.
One that ends again and again ends the run, with its last words.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from deploy.distributed.child import EndedError

LOOK_SECONDS = 0.5
AGAIN_SECONDS = 1.0
TRIES, WITHIN_SECONDS = 5, 60.0
"""So many starts in so many seconds are a fault that starting again does not mend."""


class Part(Protocol):
    """A process to keep running: its name, its log, and when it was started."""

    name: str
    log: Path
    started: list[float]

    def start(self) -> None:
        """Start it without waiting."""
        ...

    def wait_ready(self) -> None:
        """Wait until it answers; raises ``EndedError`` where it does not come to that."""
        ...

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""
        ...

    def stop(self) -> None:
        """End it in good order."""
        ...

    def last_words(self) -> str:
        """Return the end of its log."""
        ...


class Runner:
    """Runs children, and stops them in the reverse order of their start."""

    def __init__(self) -> None:
        """Begin with none."""
        self._children: list[Part] = []

    def start(self, children: Sequence[Part]) -> None:
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

    def _again(self, child: Part) -> None:
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
