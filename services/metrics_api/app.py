"""The composition root of the reading side: one FastAPI app over the parts it is handed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import msgspec
from fastapi import Depends, FastAPI

from services.common.catalog import Catalog
from services.common.fatal import die
from services.common.metrics import Metrics
from services.common.ports import (
    Clock,
    Forget,
    LiveView,
    PipelineHealth,
    SignalFeed,
    SignalLog,
    Storage,
)
from services.metrics_api import (
    carts,
    dead_letters,
    docs,
    errors,
    events,
    explain,
    health,
    metrics,
    orders,
    page,
    sessions,
    shapes,
    signals,
    sources,
    visitors,
)
from services.metrics_api.follow import Followers
from services.metrics_api.holding import Gate
from services.metrics_api.parts import ApiSettings, Parts
from services.metrics_api.reach import Reach, Waits
from services.metrics_api.sending import add_sending
from services.metrics_api.store import AsyncReads, Store
from services.sessionizer.core.policy import Rules

Around = Callable[[], AbstractAsyncContextManager[object]]
OnFatal = Callable[[BaseException], None]

SHAPES = (
    shapes.Session,
    shapes.SessionWhole,
    shapes.Cart,
    shapes.Order,
    shapes.Signal,
    shapes.DeadLetter,
    shapes.SourceOut,
    shapes.Refusal,
)
REFUSED: dict[str, Any] = {
    "description": "refused",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
}
MODULES = (
    sessions,
    visitors,
    carts,
    signals,
    orders,
    events,
    dead_letters,
    explain,
    sources,
    metrics,
    health,
    page,
    docs,
)


def create_metrics_api(
    *,
    storage: Storage,
    live: LiveView,
    feed: SignalFeed,
    catalog: Catalog,
    rules: Rules,
    clock: Clock,
    forget: Forget,
    health: PipelineHealth,
    waits: Waits,
    metrics: Metrics,
    settings: ApiSettings,
    signal_log: SignalLog | None = None,
    reads: AsyncReads | None = None,
    around: Around = nullcontext,
    on_fatal: OnFatal = die,
) -> FastAPI:
    """Return the app that answers every read, and serves the page at ``/``.

    The caller owns what it hands in and closes it after the app's lifespan has ended. Before it
    stops serving, it calls ``app.state.parts.followers.close()``, so that streams end and the
    server need not wait for them.
    ``waits`` tells how late the loader is.
    ``signal_log`` takes the place of the feed for streams, ``reads`` asks storage without a
    thread, ``around`` is held as long as the app lives, ``on_fatal`` is told what ended the looks
    at the log, and ends the process. Who listens on loopback puts ``guard_hosts`` around the app.
    """
    followers = Followers(feed, settings.stream_queue)
    gate = Gate(live, clock, rules)
    metrics.follow("waymark_stream_clients", lambda: len(followers))
    metrics.follow("waymark_stream_behind", lambda: gate.behind)
    parts = Parts(
        store=Store(storage, metrics, reads),
        live=live,
        signal_log=signal_log,
        followers=followers,
        gate=gate,
        reach=Reach(gate, waits, clock),
        catalog=catalog,
        rules=rules,
        clock=clock,
        forget=forget,
        health=health,
        metrics=metrics,
        settings=settings,
    )
    app = _app()
    app.state.parts, app.state.around, app.state.on_fatal = parts, around, on_fatal
    return app


def _app() -> FastAPI:
    """Return the endpoints, which find in ``app.state`` what they stand on."""
    app = FastAPI(
        title="Waymark",
        description="Journeys, carts and signals of a storefront. Times are epoch milliseconds, "
        "money is a decimal string beside its currency.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    checks = [Depends(check) for check in (errors.only_known, errors.once, errors.filled)]
    for module in MODULES:
        app.include_router(module.router, dependencies=checks)
    _describe(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts, on_fatal = app.state.parts, app.state.on_fatal
    async with (
        app.state.around(),
        _watching(parts.gate.watch(), on_fatal),
        _watching(parts.reach.watch(), on_fatal),
    ):
        yield
    parts.followers.close()
    parts.store.close()


@asynccontextmanager
async def _watching(looks: Coroutine[Any, Any, None], on_fatal: OnFatal) -> AsyncIterator[None]:
    watching = asyncio.create_task(_for_ever(looks, on_fatal))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _for_ever(looks: Coroutine[Any, Any, None], on_fatal: OnFatal) -> None:
    """Look until cancelled. Without looks abandonments would wait, and nothing become complete."""
    try:
        await looks
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - the loop's edge: unknown means the end
        on_fatal(error)


def _describe(app: FastAPI) -> None:
    """Add the structs of the answers, and the one shape of errors, to the OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        _, found = msgspec.json.schema_components(
            SHAPES, ref_template="#/components/schemas/{name}"
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas.update(found)
        add_sending(document)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = REFUSED
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it
