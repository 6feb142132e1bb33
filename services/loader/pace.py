"""How soon rows are in storage after they were made, where storage keeps up.

Both loaders keep to it: the one on Kafka brings what came every ``BATCH_SECONDS``, the one of a
single process paces itself (``Pace``). What tells a number complete waits for it (``ARRIVES_MS``),
and for longer where rows are known to be later (``services.metrics_api.reach``).
"""

from msgspec import Struct

BATCH_ROWS = 100_000
BATCH_SECONDS = 0.25
RESTS = 3
"""A turn is followed by so many times what it took, in which the next batch grows …"""
REST_SECONDS = 1.0
"""… but by no more than this: so much later events can be queried where the machine is busy."""
ROWS_SECONDS = 2.0
"""Rows of the fold are brought at most so often: several tables, and few rows for each. They are
later than their events by the grace anyway, and the live view and the streams have them at once."""
INSERT_SECONDS = 1.0
"""What inserting them takes, on a busy machine."""
ARRIVES_MS = int((ROWS_SECONDS + REST_SECONDS + 2 * INSERT_SECONDS) * 1_000)
"""A row made while a turn gathers waits that turn out, then until rows are due and the rest after
a turn without them, then for its own turn."""


class Pace(Struct):
    """When the next turn of a loop is, and whether it brings rows; all times are seconds.

    An insert costs some 20 ms of a processor a table however few rows it has, and its part is
    merged later, so a loop that is pressed makes fewer and larger ones.
    """

    rows_at: float = -ROWS_SECONDS
    """When rows were last brought."""

    def rows_due(self, now: float) -> bool:
        """Tell whether a turn that begins now brings the fold's rows."""
        return now >= self.rows_at + ROWS_SECONDS

    def rest(self, began: float, now: float, inserted: int, *, rows: bool) -> float:
        """Return how long to rest after a turn; ``rows`` tells whether it brought any of the fold.

        After a large batch there is no rest: more is behind it.
        """
        if rows:
            self.rows_at = began
        if inserted >= BATCH_ROWS // 2:
            return 0.0
        took = now - began
        return max(BATCH_SECONDS - took, min(RESTS * took, REST_SECONDS))
