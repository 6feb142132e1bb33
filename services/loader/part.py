"""``waymark loader`` as tasks of one event loop: the loading itself, and chores by one loader.

Chores (sealing, retention, the nightly rebuild) are done by the loader that reads partition 0 of
the events: there is always one, and hardly ever two. Two at once do no harm (``seal``), they only
work twice.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from starlette.applications import Starlette

from schemas.spans import DAY_MS
from services.common.errors import RetryableError
from services.common.health_app import health_app
from services.common.kafka import client_options, loader_group
from services.common.metrics import Metrics
from services.common.ports import Storage
from services.common.settings import Settings
from services.loader.chores import Sealing, Sources, StorageRetention
from services.loader.loader import TopicLoader
from services.loader.topics import tables_by_topic
from services.loader.warehouse import Warehouse

CHORES_SECONDS = 60.0
STUCK_SECONDS = 300.0
"""A loop that has not turned for so long hangs; one that waits for storage turns."""
FETCH_BYTES = 32 << 20
PARTITION_BYTES = 4 << 20
IDLE_MS = DAY_MS
OnFatal = Callable[[BaseException], None]
Chore = Callable[[], object]
MoreChores = Callable[[Storage], Sequence[Chore]]


class LoaderPart:
    """One loader process without its server; its topics are there when it starts."""

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        sources: Sources,
        metrics: Metrics,
        on_fatal: OnFatal,
        *,
        more_chores: MoreChores | None = None,
    ) -> None:
        """Tie it together; nothing is opened yet. ``more_chores`` are made on opened storage."""
        self._settings = settings
        self._warehouse = warehouse
        self._sources = sources
        self._metrics = metrics
        self._on_fatal = on_fatal
        self._more_chores = more_chores
        self._loader: TopicLoader | None = None
        self._stopping = False
        self.chores_trouble = ""

    def app(self) -> Starlette:
        """Return the app whose lifespan is the part's own."""
        self._metrics.follow("waymark_loader_lag_records", self.lag)
        return health_app(
            alive=self.dead, ready=self.trouble, metrics=self._metrics, lifespan=self._lifespan
        )

    def lag(self) -> float:
        """Return how many records are read by nobody yet or not in storage; NaN where unknown."""
        lag = self._loader.lag() if self._loader else None
        return float("nan") if lag is None else float(lag)

    def dead(self) -> str:
        """Say that the loop hangs, if it does."""
        if self._loader is None:
            return ""
        age = time.monotonic() - self._loader.turned_at
        return f"the loader has not turned for {age:.0f} s" if age > STUCK_SECONDS else ""

    def trouble(self) -> str:
        """Say why rows do not reach storage now, if they do not."""
        if self._stopping:
            return "the process is shutting down"
        if self._loader is None:
            return "waiting for Kafka"
        return self._loader.trouble or self.chores_trouble

    def stop(self) -> None:
        """Begin to end: callable from the loop's thread."""
        self._stopping = True
        if self._loader:
            self._loader.stop()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._load()), asyncio.create_task(self._chores())]
        try:
            yield
        finally:
            self.stop()
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._warehouse.close()

    async def _load(self) -> None:
        try:
            self._loader = TopicLoader(
                open_consumer(self._settings),
                tables_by_topic(self._settings),
                self._warehouse.sink,
                self._metrics,
            )
            await self._loader.run()
        except Exception as error:  # noqa: BLE001 - the loop's edge: unknown means the end
            self._on_fatal(error)

    async def _chores(self) -> None:
        chores: Sequence[Chore] = ()
        while True:
            await asyncio.sleep(CHORES_SECONDS)
            try:
                if self._loader and self._loader.clock_ms and self._loader.owns(0):
                    chores = chores or await asyncio.to_thread(self._open_chores, self._loader)
                    for chore in chores:
                        await asyncio.to_thread(chore)
                self.chores_trouble = ""
            except RetryableError as error:
                self.chores_trouble = f"chores: {error}"
            except Exception as error:  # noqa: BLE001 - the loop's edge: unknown means the end
                self._on_fatal(error)

    def _open_chores(self, loader: TopicLoader) -> Sequence[Chore]:
        storage = self._warehouse.storage()
        keep_ms = self._settings.events_keep_days * DAY_MS
        sealing = Sealing(storage, self._sources, lambda: loader.clock_ms)
        retention = StorageRetention(storage, self._sources, lambda: loader.clock_ms, keep_ms)
        more = self._more_chores(storage) if self._more_chores else ()
        return (sealing.run, retention.run, *more)


def open_consumer(settings: Settings) -> AIOKafkaConsumer:
    """Return a consumer of the loaders' group, not started, that commits nothing by itself."""
    return AIOKafkaConsumer(
        **client_options(settings),
        group_id=loader_group(settings),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=PARTITION_BYTES,
        # Storage may stay away for hours; the group must not think us dead for waiting.
        max_poll_interval_ms=IDLE_MS,
        rebalance_timeout_ms=30_000,
    )
