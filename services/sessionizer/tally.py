"""What the worker counts of itself, in the closed list's names."""

from typing import get_args

from services.common.metrics import FoldOutcome, Metrics
from services.common.ports import Changes
from services.sessionizer.core.intake import Tally as Counts

OUTCOMES: tuple[FoldOutcome, ...] = get_args(FoldOutcome)


class FoldTally:
    """What one fold has counted of events, told as it grows: one more a group, none an event."""

    def __init__(self, metrics: Metrics, counts: Counts) -> None:
        """Tell of these counts, which begin at 0."""
        self._metrics = metrics
        self._counts = counts
        self._told = dict.fromkeys(OUTCOMES, 0)

    def tell(self) -> None:
        """Count what has come since the last time."""
        for outcome in OUTCOMES:
            reached: int = getattr(self._counts, outcome)
            if more := reached - self._told[outcome]:
                self._metrics.count("waymark_sessionizer_events_total", more, outcome=outcome)
                self._told[outcome] = reached


class Tally:
    """Counts of all owned partitions of one worker."""

    def __init__(self, metrics: Metrics) -> None:
        """Count into these metrics."""
        self.metrics = metrics

    def poison(self) -> None:
        """Count a line or record nobody can fold."""
        self.metrics.count("waymark_sessionizer_poison_total")

    def stored(self, changes: Changes, seconds: float) -> None:
        """Count one committed transaction of a group of records."""
        self.metrics.observe("waymark_sessionizer_transaction_seconds", seconds)
        for table, rows in changes.rows.items():
            self.metrics.count("waymark_sessionizer_rows_total", len(rows), table=table)

    def restoring(self, number: int, reached: int, end: int) -> None:
        """Show how far the restore of a partition is."""
        share = reached / end if end else 1.0
        self.metrics.set(
            "waymark_sessionizer_restored_share", min(share, 1.0), partition=str(number)
        )

    def standing(self, number: int, applied: int, states: int, size: int) -> None:
        """Show where a partition stands."""
        label = str(number)
        self.metrics.set("waymark_sessionizer_partition_applied_offset", applied, partition=label)
        self.metrics.set("waymark_sessionizer_partition_states", states, partition=label)
        self.metrics.set("waymark_sessionizer_partition_state_bytes", size, partition=label)

    def lag(self, number: int, records: int) -> None:
        """Show how many records of a partition are not folded yet."""
        self.metrics.set(
            "waymark_sessionizer_partition_lag_records", records, partition=str(number)
        )

    def gone(self, number: int) -> None:
        """Show nothing of a partition that is no longer owned."""
        for name in (
            "waymark_sessionizer_restored_share",
            "waymark_sessionizer_partition_applied_offset",
            "waymark_sessionizer_partition_states",
            "waymark_sessionizer_partition_state_bytes",
            "waymark_sessionizer_partition_lag_records",
        ):
            self.metrics.drop(name, partition=str(number))
