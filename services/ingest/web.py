"""Ingest's own endpoints beside ``/v1/events``: whether it turns, whether it can store, counts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
from fastapi import FastAPI, Response

from services.common.metrics import Metrics
from services.ingest.gate import Gate
from services.ingest.kafka_publisher import KafkaPublisher


class LivesWithTheApp(Protocol):
    """What is connected while the application is served."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def stop(self) -> None:
        """Disconnect."""
        ...


def create_web(
    publisher: KafkaPublisher,
    live: LivesWithTheApp,
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

    app = FastAPI(
        title="Waymark ingest", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life
    )

    @app.get("/healthz")
    async def healthz() -> Response:
        """Tell that the process turns."""
        return _status("")

    @app.get("/readyz")
    async def readyz() -> Response:
        """Tell that events can be stored; else 503 and why."""
        if stopping():
            return _status("the process is shutting down")
        return _status(gate.shut() or publisher.trouble)

    @app.get("/metrics")
    async def expose() -> Response:
        """Expose the metrics for Prometheus."""
        return Response(metrics.expose(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def _status(trouble: str) -> Response:
    found = {"code": "unavailable", "message": trouble} if trouble else {"status": "ok"}
    return Response(msgspec.json.encode(found), 503 if trouble else 200, None, "application/json")
