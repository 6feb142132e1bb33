"""``/v1/dead-letters``: what was refused, why, and its original."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from schemas.refusal import Code
from services.metrics_api import scope
from services.metrics_api.answers import described
from services.metrics_api.auth import Reader
from services.metrics_api.lists import ListQuery, newest, page
from services.metrics_api.parts import PartsOf
from services.metrics_api.shapes import DeadLetter, shape

router = APIRouter(tags=["events"])

LetterCode = Literal[Code, "unreadable", "storage_refused"]
"""Why an item was refused at the door, or what the fold, or storage, could not take later."""


class DeadLetterQuery(ListQuery):
    """Filters of refused items; a range is of when they came."""

    code: LetterCode | None = None
    field: str | None = None


@router.get("/v1/dead-letters", responses=described(DeadLetter, rows=True))
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Query()], access: Reader, parts: PartsOf
) -> Response:
    """List refused items by when they came, newest first.

    Records of the log that nobody could read name no source: who may see every source sees them
    among the items of each.
    """
    source = (await scope.one(parts, access, query.source)).name
    sources = [source] if access.source else [source, ""]
    filters = query.bound(("code", "field"))
    read = partial(parts.store.rows, "dead_letters", sources=sources, **filters)
    found = await newest(parts, source, query, read)
    return page(query, found, ("received_ms", "id"), lambda row: shape(row, DeadLetter))
