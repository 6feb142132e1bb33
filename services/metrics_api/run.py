"""``waymark metrics-api``: reads over ClickHouse, workers and Kafka. The composition root.

It starts while ClickHouse is away, and serves while ClickHouse or Kafka are: what needs them
answers 503 and says so.
Stop (SIGTERM, SIGINT): not ready, streams end, requests under way get their answers.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from functools import cache

from fastapi import FastAPI

from services.common import logging
from services.common.catalog import Catalog
from services.common.clickhouse import (
    CLUSTER,
    READ_LIMITS,
    READ_SECONDS,
    ClickHouse,
    open_storage,
)
from services.common.clickhouse_address import address_of
from services.common.clickhouse_async import AsyncClickHouse
from services.common.clock import SystemClock
from services.common.errors import InvalidError
from services.common.hosts import guard_hosts, is_loopback
from services.common.metrics import Metrics
from services.common.policy_file import policy_of
from services.common.rules import CatalogRules
from services.common.server import Server, listen
from services.common.settings import Settings
from services.common.starting import begin
from services.history.distributed.forget import WorkersForget
from services.metrics_api.app import create_metrics_api
from services.metrics_api.follow import Silence
from services.metrics_api.hops import TopicHops
from services.metrics_api.parts import ApiSettings
from services.metrics_api.steady_live import SteadyLive
from services.metrics_api.topic_signals import TopicSignals
from services.metrics_api.topic_waits import TopicWaits
from services.sessionizer.lookup import RemoteLive

POOL = 16
"""Connections to the server: questions of so many clients run at a time."""


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit status.

    Raises ``InvalidError`` where a setting, a topic or the address is wrong, and
    ``UnavailableError`` where Kafka, which holds the tokens, does not answer at the start.
    """
    logging.configure(settings)
    if not settings.clickhouse.startswith("http"):
        raise InvalidError("WAYMARK_CLICKHOUSE names no server: http(s)://user:password@host/db")
    with ExitStack() as closing:
        address = closing.enter_context(listen(settings.host, settings.port))
        catalog = begin(settings, address, "metrics-api")
        closing.callback(catalog.close)
        app = create_part(settings, catalog, lambda: server.stopping)
        log = logging.get("metrics-api")
        host, port = address.getsockname()[:2]
        server = Server(
            guard_hosts(app, settings.host, settings.hosts),
            on_started=lambda: log.info("listening", host=host, port=port),
            on_stopping=app.state.parts.signal_log.close,
        )
        server.run(sockets=[address])
        log.info("stopped")
    return 0


def create_part(
    settings: Settings, catalog: Catalog, stopping: Callable[[], bool] = lambda: False
) -> FastAPI:
    """Return the app on the distributed parts; they connect when it starts, or is first asked.

    ``stopping`` tells that the process drains.
    """
    policy = policy_of(settings.policy)
    cluster = settings.clickhouse_cluster
    storage = open_storage(
        settings.clickhouse,
        create=False,
        settings=READ_LIMITS,
        pool=POOL,
        cluster=cluster,
        seconds=READ_SECONDS,
    )
    spread = CLUSTER if cluster else {}
    reads = AsyncClickHouse(address_of(settings.clickhouse), {**spread, **READ_LIMITS}, POOL)
    live = RemoteLive(settings)
    hops, waits = TopicHops(settings, stopping), TopicWaits(settings)

    @cache
    def unlimited() -> ClickHouse:
        dsn = settings.clickhouse_eraser or settings.clickhouse
        return open_storage(dsn, create=False, cluster=cluster)

    @asynccontextmanager
    async def around() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(storage.close)
            stack.push_async_callback(reads.close)
            stack.push_async_callback(hops.close)
            stack.push_async_callback(waits.close)
            await stack.enter_async_context(live)
            yield

    return create_metrics_api(
        storage=storage,
        live=SteadyLive(live),
        feed=Silence(),
        catalog=catalog,
        rules=CatalogRules(catalog, policy),
        clock=SystemClock(),
        forget=WorkersForget(settings, unlimited, SystemClock()),
        health=hops,
        waits=waits.waits_ms,
        metrics=Metrics(),
        settings=ApiSettings(
            open_reads=is_loopback(settings.host)
            if settings.open_reads is None
            else settings.open_reads
        ),
        signal_log=TopicSignals(settings),
        reads=reads,
        around=around,
    )
