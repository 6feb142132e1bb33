"""The HTTP face of one process: ingest's hot path in front, reads behind, loopback guarded."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from msgspec import Struct

from services.common.hosts import App, guard_hosts, is_loopback
from services.common.settings import Settings
from services.ingest.app import Limits, create_ingest, ingest_first
from services.metrics_api.app import create_metrics_api
from services.metrics_api.parts import ApiSettings
from services.sessionizer.frontier import has_open_session
from services.standalone.admin.call import Runner
from services.standalone.health import EngineHealth
from services.standalone.live import EngineLive
from services.standalone.parts import Parts
from services.standalone.preview import EnginePreview


class Face(Struct, frozen=True):
    """The application to serve, and its reading side, whose streams end at the stop."""

    app: App
    reads: FastAPI


class ForgetHere:
    """The ``Forget`` port: the command, run in this process."""

    def __init__(self, runner: Runner) -> None:
        """Run it with this runner."""
        self._runner = runner

    async def forget(
        self, source: str, *, visitor_id: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Erase one visitor, or one user with what is linked to it; return what went, by place."""
        args = {"source": source, "visitor_id": visitor_id, "user_id": user_id}
        found: dict[str, Any] = await asyncio.to_thread(self._runner.run, "forget", args)
        return found


def open_reads(settings: Settings) -> bool:
    """Tell whether reads need no token: on loopback, unless the settings say otherwise."""
    return is_loopback(settings.host) if settings.open_reads is None else settings.open_reads


def create_app(parts: Parts, runner: Runner, stopping: Callable[[], bool]) -> Face:
    """Mount ingest at ``/v1/events`` before the reading side."""
    settings = parts.settings
    health = EngineHealth(parts.engine, stopping)
    reads = create_metrics_api(
        storage=parts.storage,
        live=EngineLive(parts.engine),
        feed=parts.engine.feed,
        catalog=parts.catalog,
        rules=parts.rules,
        clock=parts.clock,
        forget=ForgetHere(runner),
        health=health,
        waits=health.waits_ms,
        metrics=parts.metrics,
        settings=ApiSettings(open_reads=open_reads(settings)),
    )
    ingest = create_ingest(
        parts.log,
        parts.log,
        parts.catalog,
        rules=parts.rules,
        clock=parts.clock,
        metrics=parts.metrics,
        preview=EnginePreview(parts.engine, parts.rules),
        open_session=partial(_has_open_session, parts),
        trusted_proxies=settings.trusted_proxies,
        country_header=settings.country_header,
        limits=Limits(in_flight_bytes=settings.in_flight_bytes),
    )
    front = ingest_first(ingest, reads)
    return Face(guard_hosts(front, settings.host, settings.hosts), reads)


def _has_open_session(parts: Parts, source: str, visitor_id: str) -> bool:
    """Tell whether a visitor's session is open, so that a hash of yesterday's salt may go on."""
    return has_open_session(parts.states.get(f"{source}\x1f{visitor_id}".encode()))
