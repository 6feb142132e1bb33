"""``/healthz``, ``/readyz`` and ``/metrics`` of a part that serves nothing else, or little."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from services.common.metrics import Metrics

RETRY_AFTER_S = 2
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
Trouble = Callable[[], str]
"""Says what is wrong, empty where nothing is."""


def health_app(
    *,
    alive: Trouble,
    ready: Trouble,
    metrics: Metrics,
    lifespan: Lifespan,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return an app that answers 503 with the words of ``alive`` and ``ready`` where they have any.

    ``alive`` is asked by whoever restarts the process, ``ready`` by whoever sends it work.
    """

    async def healthz(_: Request) -> Response:
        return _answer(alive())

    async def readyz(_: Request) -> Response:
        return _answer(alive() or ready())

    async def exposed(_: Request) -> Response:
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(metrics.expose(), headers={"Content-Type": kind})

    own = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposed)]
    return Starlette(routes=[*own, *routes], lifespan=lifespan)


def _answer(trouble: str) -> Response:
    if not trouble:
        return JSONResponse({"status": "ok"})
    refusal = {"code": "unavailable", "message": trouble}
    return JSONResponse(refusal, 503, {"Retry-After": str(RETRY_AFTER_S)})
