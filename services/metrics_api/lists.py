"""What every list has: its range, its place in it, and the reading from the newest on.

A list without ``from`` reads ever longer stretches of the past until a page is full, so that the
newest rows of a large store are found without reading it whole.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.rows import Stage
from schemas.spans import DAY_MS
from services.common import times
from services.metrics_api.cursors import Place, decode, mark

STRETCHES_MS = (DAY_MS, 31 * DAY_MS)
MOST = 1_000
UNASKED = {"limit", "cursor"}

Rows = list[dict[str, Any]]
FORMS = "RFC 3339, epoch seconds, epoch milliseconds, or now-6h (s, m, h, d or w)"


def _lowered(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _parted(value: object) -> object:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return value
    return [part for text in texts for part in str(text).split(",")]


StageInAnyCase = Annotated[Stage, BeforeValidator(_lowered)]
"""A stage in any case (docs/api.md, *Metrics*)."""
commas = BeforeValidator(_parted)
"""Has a list take ``a,b`` as well as a parameter given twice."""


class ListQuery(BaseModel):
    """Parameters of every list; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    from_: str | None = Field(None, alias="from", description=f"start, included: {FORMS}")
    to: str | None = Field(None, description=f"end, not included: {FORMS}")
    source: str | None = Field(None, description="needed where there is more than one")
    limit: int = Field(100, ge=1, le=MOST, description=f"rows a page, at most {MOST:,}")
    cursor: str | None = Field(None, description="`next` of the page before")

    @property
    def mark(self) -> str:
        """The mark of the question: which list, and all parameters but those that turn pages."""
        return mark(type(self).__name__, self.model_dump(exclude=UNASKED, exclude_none=True))

    def bound(self, names: Iterable[str]) -> dict[str, str]:
        """Return the filters of these names as bound text, empty where one is not given."""
        return {name: _text(getattr(self, name)) for name in names}


class Span(Struct, frozen=True):
    """The part of a list that is asked for: [start, end), rows after a place, and how many."""

    start: int | None
    end: int
    place: Place | None
    limit: int

    def parameters(self, start: int) -> dict[str, Any]:
        """Return the bound parameters that every list's query has."""
        place = self.place
        return {
            "from_ms": start,
            "to_ms": self.end,
            "place_ms": place.at_ms if place else self.end,
            "place_id": place.id if place else "",
            "limit": self.limit + 1,
        }


def span(query: ListQuery, now_ms: int) -> Span:
    """Return what a list query asks for; its cursor must be of the same question."""
    start, end = times.window(query.from_, query.to, now_ms)
    place = decode(query.cursor, query.mark) if query.cursor else None
    return Span(start, times.LATEST_MS if end is None else end, place, query.limit)


async def newest(query: ListQuery, now_ms: int, read: Callable[..., Awaitable[Rows]]) -> Rows:
    """Return the newest rows that are asked for, one more than the limit where there are more.

    ``read`` takes the bounds of a stretch as keywords (``Span.parameters``).
    """
    asked = span(query, now_ms)
    if asked.start is not None:
        return await read(**asked.parameters(asked.start))
    latest = min(asked.end, now_ms, asked.place.at_ms if asked.place else asked.end)
    for stretch in STRETCHES_MS:
        rows = await read(**asked.parameters(max(0, latest - stretch)))
        if len(rows) > asked.limit:
            return rows
    return await read(**asked.parameters(0))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
