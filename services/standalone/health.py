"""``PipelineHealth``: how the engine stands, hop by hop, for ``/readyz``, the page and doctor."""

import asyncio
from collections.abc import Callable

from services.common.errors import RetryableError
from services.common.ports import Hop
from services.standalone.engine import Engine

BEHIND_MS = 1_000
"""A clock this far behind is told; less is what NTP does every day."""


class EngineHealth:
    """Reads lag, age and trouble of every hop. ``stopping`` tells that the process drains."""

    def __init__(self, engine: Engine, stopping: Callable[[], bool]) -> None:
        """Look at this engine."""
        self._engine = engine
        self._stopping = stopping

    async def hops(self) -> list[Hop]:
        """Return the hops in the order events take."""
        return await asyncio.to_thread(self.look)

    async def waits_ms(self) -> int | None:
        """Return for how long what storage lacks has waited at most, in ms (``reach.Waits``)."""
        return await asyncio.to_thread(self._waits_ms)

    def _waits_ms(self) -> int | None:
        engine = self._engine
        if engine.sessionizer.trouble:
            return None  # rows that are made, and that the loader cannot see yet
        try:
            return max(self._age(engine.loader.loaded_to), engine.loader.rows_age_ms())
        except RetryableError:
            return None

    def look(self) -> list[Hop]:
        """Do as ``hops`` does, from a thread."""
        engine = self._engine
        log, lag, loaded = engine.log, engine.lag(), engine.loader.loaded_to
        waiting, forwards = engine.states.waiting_rows(), engine.states.waiting_forwards()
        stopping = "the process is shutting down" if self._stopping() else ""
        return [
            Hop("ingest", 0, 0, "requests", stopping),
            Hop("log", 0, 0, "records", log.trouble, clock_note(log.behind_ms())),
            Hop(
                "sessionizer",
                lag,
                self._age(engine.sessionizer.read_to),
                "records",
                engine.sessionizer.trouble,
            ),
            Hop("forwards", forwards, None, "forwards", engine.forwarder.trouble),
            Hop("events", log.end() - loaded, self._age(loaded), "records", engine.loader.trouble),
            Hop("rows", waiting, None, "rows", engine.loader.trouble),
            Hop("upkeep", 0, 0, "chores", engine.upkeep.trouble),
        ]

    def _age(self, done: int) -> int:
        """Return how long the oldest record after a place has waited, on the log's own clock."""
        log = self._engine.log
        waiting = log.read(done, 1)
        return max(0, log.append_ms() - waiting[0].append_ms) if waiting else 0


def clock_note(behind_ms: int) -> str:
    """Return what to say of a wall clock behind the log's; empty where all is well."""
    if behind_ms < BEHIND_MS:
        return ""
    return (
        f"the wall clock stands {behind_ms / 1000:.1f} s behind the log's clock, which stands "
        f"still until then: no deadline fires; set the machine's clock right"
    )
