"""Which source a question is about.

DESIGN, *Words*, and docs/api.md, *Entities*: ``source`` is required where token or installation
has more than one, else 400 naming them. The demo is out unless named once another source has
events. What a token does not cover answers exactly like what does not exist.
"""

from collections.abc import Sequence

from services.common.catalog_rows import Source
from services.metrics_api.errors import ApiError
from services.metrics_api.parts import Access, Parts


def visible(parts: Parts, access: Access) -> Sequence[Source]:
    """Return the sources a caller may see."""
    return [s for s in parts.catalog.sources() if access.source in (None, s.name)]


def names(parts: Parts, access: Access) -> list[str]:
    """Return the names of the sources a caller may see."""
    return [source.name for source in visible(parts, access)]


async def one(parts: Parts, access: Access, source: str | None) -> Source:
    """Return the one source a question is about, or refuse with 400 naming those there are."""
    seen = visible(parts, access)
    if source:
        return _named(seen, access, source)
    meant = await _meant(parts, seen)
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(s.name for s in meant) or "none yet"
    raise ApiError(400, "source_required", f"source is needed, one of: {listed}")


async def default(parts: Parts, access: Access) -> Source | None:
    """Return the source that is meant where none is named, None where one must be."""
    meant = await _meant(parts, visible(parts, access))
    return meant[0] if len(meant) == 1 else None


async def with_events(parts: Parts) -> set[str]:
    """Return the names of sources that have any event stored."""
    return {row["source"] for row in await parts.store.rows("sources_with_events")}


def _named(seen: Sequence[Source], access: Access, source: str) -> Source:
    for known in seen:
        if known.name == source:
            return known
    if access.source:
        raise ApiError(403, "forbidden", f"this token reads only source {access.source!r}")
    listed = ", ".join(s.name for s in seen) or "none yet"
    raise ApiError(400, "invalid_parameter", f"source = {source[:200]!r}: known are {listed}")


async def _meant(parts: Parts, seen: Sequence[Source]) -> Sequence[Source]:
    """Return the sources a question without one could mean: never the demo beside a shop's own."""
    lasting = [s for s in seen if not s.demo and not s.test]
    if len(seen) == 1 or len(lasting) == len(seen):
        return seen
    stored = await with_events(parts)
    if any(s.name in stored for s in lasting):
        return lasting
    return [s for s in seen if s.demo] or lasting
