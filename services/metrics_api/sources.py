"""``/v1/sources`` and ``/v1/access``: what there is to ask about, and how one came in."""

from fastapi import APIRouter, Response

from services.common.answers import json_answer
from services.metrics_api import scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.parts import PartsOf
from services.metrics_api.shapes import SourceOut

router = APIRouter(tags=["sources"])


@router.get("/v1/sources", responses=described(SourceOut, rows=True, ageless=True))
async def list_sources(access: Reader, parts: PartsOf) -> Response:
    """List the sources the caller may read; `default` is the one meant where none is named."""
    activity = {row["source"]: row for row in await parts.store.rows("source_activity")}
    meant = await scope.default(parts, access)
    rows = [
        SourceOut(
            name=source.name,
            timezone=source.timezone,
            currency=source.currency,
            hosts=list(source.hosts),
            demo=source.demo,
            test=source.test,
            default=meant is not None and meant.name == source.name,
            events=activity.get(source.name, {}).get("events", 0),
            last_received_ms=activity.get(source.name, {}).get("last_received_ms"),
        )
        for source in scope.visible(parts, access)
    ]
    return json_answer({"rows": rows, "next": None})


@router.get("/v1/access")
async def show_access(access: Reader) -> Response:
    """Tell whether reads are open here, and which source a token is tied to."""
    return json_answer({"open": not access.token, "source": access.source})
