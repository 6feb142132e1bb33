"""``/v1/dead-letters``: what was refused, why, and its original."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.metrics_api import scope
from services.metrics_api.answers import described, page
from services.metrics_api.auth import Reader
from services.metrics_api.lists import ListQuery, given, newest, span
from services.metrics_api.parts import PartsOf
from services.metrics_api.shapes import DeadLetter, shape

router = APIRouter(tags=["events"])


class DeadLetterQuery(ListQuery):
    """Filters of refused items; a range is of when they came."""

    code: str | None = None
    field: str | None = None


@router.get("/v1/dead-letters", responses=described(DeadLetter, rows=True))
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List refused items by when they came, newest first."""
    source = (await scope.one(parts, access, query.source)).name
    now = parts.clock.now_ms()
    asked = span(query, now)

    async def read(ends: dict[str, Any]) -> list[dict[str, Any]]:
        code, field = given(query.code), given(query.field)
        return await parts.store.rows("dead_letters", source=source, code=code, field=field, **ends)

    return page(
        await newest(asked, now, read),
        query.limit,
        lambda row: (row["received_ms"], row["id"]),
        query.mark,
        lambda row: shape(row, DeadLetter),
    )
