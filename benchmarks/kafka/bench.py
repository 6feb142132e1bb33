"""What all sections share: the broker, the folder, how much to feed, and what was fed."""

import asyncio
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from msgspec import Struct, field

from benchmarks.kafka.feed import Fed, feed
from benchmarks.kafka.rows import Row

PARTITIONS = 4


class Bench(Struct):
    """One run: its broker, a folder of its own, the events asked for, and the rows so far."""

    bootstrap: str
    folder: Path
    cache: Path
    events: int
    seconds: float
    partitions: int = PARTITIONS
    rows: list[Row] = field(default_factory=list)
    fed: Fed | None = None

    def visits(self) -> Fed:
        """Feed the small state's topics once, for whoever asks first; return what they hold."""
        if self.fed is None:
            asyncio.run(self._topics("bench.single", "bench.batched"))
            say(f"writing {self.events:,} events, once singly and once in batches")
            self.fed = asyncio.run(
                feed(self.bootstrap, "bench.single", "bench.batched", self.events, PARTITIONS)
            )
        return self.fed

    def create(self, *names: str, partitions: int = PARTITIONS) -> None:
        """Make plain topics."""
        asyncio.run(self._topics(*names, partitions=partitions))

    async def _topics(self, *names: str, partitions: int = PARTITIONS) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        finally:
            await admin.close()


def say(text: str) -> None:
    """Tell the terminal what is under way; the table comes at the end."""
    print(f"  … {text}", flush=True)
