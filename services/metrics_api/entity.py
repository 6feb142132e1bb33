"""One session, cart or signal by its id."""

from typing import Any, Literal

from services.metrics_api import scope
from services.metrics_api.errors import not_found
from services.metrics_api.parts import Access, Parts

Kind = Literal["session", "cart", "signal"]


async def one(parts: Parts, access: Access, kind: Kind, entity_id: str) -> dict[str, Any]:
    """Return a row as stored, or refuse with 404 where the caller may see none of this id."""
    sources = scope.names(parts, access)
    row = await find(parts, sources, kind, entity_id)
    if row is None:
        raise not_found(kind, entity_id, sources)
    return row


async def find(
    parts: Parts, sources: list[str], kind: Kind, entity_id: str
) -> dict[str, Any] | None:
    """Return a row as stored, None where these sources have none of this id."""
    rows = await parts.store.rows(kind, sources=sources, id=entity_id)
    return rows[0] if rows else None
