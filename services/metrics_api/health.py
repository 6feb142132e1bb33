"""``/healthz``, ``/readyz``, ``/metrics`` of this part, and the pipeline hop by hop."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import APIRouter, Response

from services.common.answers import json_answer
from services.common.errors import RetryableError
from services.common.health_app import exposition, health
from services.metrics_api.auth import Reader
from services.metrics_api.parts import Parts, PartsOf

T = TypeVar("T")

router = APIRouter(tags=["health"])

PATIENCE_SECONDS = 2.5
"""For storage and the hops: less than any probe of ours waits (3 s, docker-compose)."""


@router.get("/healthz")
async def healthz() -> Response:
    """Tell that the process turns."""
    return health("")


@router.get("/readyz")
async def readyz(parts: PartsOf) -> Response:
    """Tell whether storage answers and no hop of the pipeline is in trouble; else 503 and why.

    ``notes`` say what an operator should know while all works, such as a clock set back.
    """
    troubles, notes = await _findings(parts)
    return health("; ".join(troubles), notes)


@router.get("/metrics")
async def metrics(parts: PartsOf) -> Response:
    """Expose this part's own metrics for Prometheus."""
    return exposition(parts.metrics)


@router.get("/v1/health/pipeline")
async def pipeline(access: Reader, parts: PartsOf) -> Response:
    """Show lag and age of every hop, and how far the log's clock stands behind the wall's."""
    del access  # whoever may read anything may know how fresh it is
    hops = await parts.health.hops()
    clock, now = await parts.live.clock_ms(), parts.clock.now_ms()
    return json_answer(
        {
            "status": "trouble" if any(hop.trouble for hop in hops) else "ok",
            "clock_ms": clock,
            "now_ms": now,
            "clock_behind_ms": now - clock,
            "hops": hops,
        }
    )


async def _findings(parts: Parts) -> tuple[list[str], list[str]]:
    """Ask storage and the hops side by side: who probes has the patience for one of them."""
    (_, storage), (seen, pipeline) = await asyncio.gather(
        _answer("storage", parts.store.rows("ready")),
        _answer("the pipeline", parts.health.hops()),
    )
    hops = seen or []
    troubles = [f"{hop.name}: {hop.trouble}" for hop in hops if hop.trouble]
    notes = [f"{hop.name}: {hop.note}" for hop in hops if hop.note]
    return [one for one in (storage, pipeline, *troubles) if one], notes


async def _answer(who: str, question: Awaitable[T]) -> tuple[T | None, str]:
    """Return what is answered in time, or why nothing is."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await question, ""
    except TimeoutError:
        return None, f"{who} has not answered within {PATIENCE_SECONDS} s"
    except RetryableError as error:
        return None, str(error)
