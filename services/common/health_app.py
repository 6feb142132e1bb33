"""``/healthz``, ``/readyz`` and ``/metrics``: how every part answers them, and an app that does."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from services.common.answers import http_refusal, json_answer, unavailable
from services.common.metrics import Metrics

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Trouble = Callable[[], str]
"""Says what is wrong, empty where nothing is."""


def health_app(
    *, alive: Trouble, ready: Trouble, metrics: Metrics, lifespan: Lifespan | None = None
) -> FastAPI:
    """Return an app, without documentation, of a part that serves nothing else, or little.

    It answers 503 with the words of ``alive`` and ``ready`` where they have any. ``alive`` is asked
    by whoever restarts the process, ``ready`` by whoever sends it work: the dead are not ready.
    """

    async def healthz(_: Request) -> Response:
        return health(alive())

    async def readyz(_: Request) -> Response:
        return health(alive() or ready())

    async def exposed(_: Request) -> Response:
        return exposition(metrics)

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposed)]
    return FastAPI(
        routes=[*routes],
        exception_handlers={HTTPException: http_refusal},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )


def health(trouble: str, notes: Sequence[str] = ()) -> Response:
    """Return 503 and what is wrong, or 200 with what an operator should know all the same."""
    if trouble:
        return unavailable(trouble)
    return json_answer({"status": "ok", "notes": notes} if notes else {"status": "ok"})


def exposition(metrics: Metrics) -> Response:
    """Return the metrics for Prometheus, in its text format."""
    return Response(metrics.expose(), media_type="text/plain; version=0.0.4; charset=utf-8")
