"""Ingest's own endpoints beside ``/v1/events``: whether it turns, whether it can store, counts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services.common.health_app import health_app
from services.common.metrics import Metrics
from services.ingest.gate import Gate
from services.ingest.kafka_publisher import KafkaPublisher
from services.sessionizer.lookup import RemoteLive


def create_web(
    publisher: KafkaPublisher,
    live: RemoteLive,
    gate: Gate,
    metrics: Metrics,
    stopping: Callable[[], bool],
) -> FastAPI:
    """Return the application; publisher and live view are connected as long as it lives."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await live.start()
        await publisher.start()
        gate.pulse.start()
        yield
        gate.pulse.stop()
        await publisher.stop()
        await live.stop()

    def shut() -> str:
        if stopping():
            return "the process is shutting down"
        return gate.shut() or publisher.trouble

    return health_app(alive=str, ready=shut, metrics=metrics, lifespan=life)
