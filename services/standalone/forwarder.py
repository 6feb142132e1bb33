"""Carries links and forwarded orders from the outbox into the log, where their address reads them.

Log first, then the outbox: a crash between them makes a repeat, which its id makes harmless.
"""

from services.common.errors import RetryableError
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates

BATCH = 2_000
RETRY_SECONDS = 0.5
IDLE_SECONDS = 1.0


class Forwarder:
    """One turn moves one batch. ``trouble`` says why it could not."""

    def __init__(self, states: SqliteStates, log: SqliteLog) -> None:
        """Carry from these states into this log."""
        self._states = states
        self._log = log
        self.trouble = ""

    def turn(self) -> float:
        """Move the oldest batch; return the seconds until there may be more."""
        last, items = self._states.forwards(BATCH)
        if not items:
            return IDLE_SECONDS
        try:
            self._log.append(items)
            self._states.forwarded(last)
        except RetryableError as error:
            self.trouble = str(error)
            return RETRY_SECONDS
        self.trouble = ""
        return 0.0 if len(items) == BATCH else IDLE_SECONDS
