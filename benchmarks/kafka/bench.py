"""What all sections share: the broker, the folder, how much to feed, and what was fed."""

import asyncio
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from benchmarks.kafka.feed import Fed, feed
from benchmarks.kafka.rows import Row
from services.common.settings import Settings, load
from services.common.topics_made import ensure_topics

PARTITIONS = 4
SINGLE, BATCHED = "single", "batched"
"""What the topics' names begin with: one event a record, and batches."""


class Bench(Struct):
    """One run: its broker, a folder of its own, how much is asked for, and the rows so far.

    ``events`` are a shop's, ``visited`` those that every engine of *state* is fed.
    """

    bootstrap: str
    folder: Path
    cache: Path
    events: int
    visited: int
    seconds: float
    partitions: int = PARTITIONS
    rows: list[Row] = field(default_factory=list)
    fed: Fed | None = None

    def visits(self) -> Fed:
        """Feed the small state's topics once, for whoever asks first; return what they hold."""
        if self.fed is None:
            say(f"writing {self.visited:,} events, once singly and once in batches")
            for prefix in (SINGLE, BATCHED):
                asyncio.run(ensure_topics(self.settings(prefix), ["events", "states"]))
            self.fed = asyncio.run(
                feed(
                    self.bootstrap,
                    f"{SINGLE}.events",
                    f"{BATCHED}.events",
                    self.visited,
                    PARTITIONS,
                )
            )
        return self.fed

    def settings(self, prefix: str, **more: Any) -> Settings:
        """Return settings with topics, group and data folder of this prefix."""
        given = {
            "kafka": self.bootstrap,
            "kafka_prefix": prefix,
            "kafka_partitions": self.partitions,
            "data": self.folder / prefix,
        }
        return load(environ={}, overrides=given | more)


def say(text: str) -> None:
    """Tell the terminal what is under way; the table comes at the end."""
    print(f"  … {text}", flush=True)
