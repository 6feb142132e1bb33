"""Retention of the log: a record goes once it is applied, in storage, and old or too much.

The log never grows without bound: beyond ``keep_bytes`` age no longer counts, only that nothing
needs the record any more.
"""

from collections.abc import Callable, Sequence

from services.common.errors import InvalidError, RetryableError
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates

EVERY_SECONDS = 60.0
STEP_RECORDS = 200


class LogRetention:
    """Trims the log. ``keep_ms`` is measured on the log's own clock."""

    def __init__(
        self, log: SqliteLog, states: SqliteStates, *, keep_ms: int, keep_bytes: int
    ) -> None:
        """Trim this log behind what these states say is applied and loaded."""
        self._log = log
        self._states = states
        self._keep_ms = keep_ms
        self._keep_bytes = keep_bytes

    def needed_after(self) -> int:
        """Return the greatest offset that neither the fold nor the loader will read again."""
        meta = self._states.meta()
        return min(meta.applied if meta else 0, self._states.loaded())

    def run(self) -> int:
        """Trim what may go; return how many records went."""
        limit = self.needed_after()
        old = self._log.offset_before(self._log.append_ms() - self._keep_ms)
        gone = self._log.trim(min(limit, old))
        while self._log.used_bytes() > self._keep_bytes:
            went = self._log.trim(min(limit, self._log.start() + STEP_RECORDS))
            if not went:
                break
            gone += went
        return gone


class Upkeep:
    """Runs chores now and then. ``trouble`` says which could not be done now, and why."""

    def __init__(self, chores: Sequence[Callable[[], object]]) -> None:
        """Run these chores, in order, once a minute."""
        self._chores = list(chores)
        self.trouble = ""

    def add(self, chore: Callable[[], object]) -> None:
        """Run one more chore, after the others; before the first turn."""
        self._chores.append(chore)

    def turn(self) -> float:
        """Do each chore once; one that could not be done is told and tried again next turn."""
        self.trouble = ""
        for chore in self._chores:
            try:
                chore()
            except (RetryableError, InvalidError) as error:
                self.trouble = str(error)
        return EVERY_SECONDS
