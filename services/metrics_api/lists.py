"""What every list has: its range, its place in it, and the reading from the newest on.

A list without ``from`` reads ever longer stretches of the past until a page is full, so that the
newest rows of a large store are found without reading it whole.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

from fastapi import Response
from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.rows import Stage
from schemas.spans import DAY_MS
from services.common import times
from services.common.answers import json_answer
from services.metrics_api.cursors import Place, decode, encode, mark
from services.metrics_api.metric_query import settling
from services.metrics_api.parts import Parts

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


def complete_to(parts: Parts, source: str) -> int | None:
    """Return up to when (epoch ms) a source's lists have all that came in time, None if unknown.

    A metric's row is ``complete`` where its bucket ends by then. Told by the last look at the log's
    clock, a second old at most: a list needs no live view.
    """
    clock_ms = parts.reach.within(parts.gate.log_ms)
    return clock_ms and clock_ms - settling(parts.rules(source).policy.time)


class Found(Struct):
    """Rows of a list, one more than the limit where there are more; up to when they are all."""

    rows: Rows
    complete_to_ms: int | None


async def newest(
    parts: Parts, source: str, query: ListQuery, read: Callable[..., Awaitable[Rows]]
) -> Found:
    """Return the newest rows that are asked for.

    ``read`` takes the bounds of a stretch as keywords (``Span.parameters``).
    """
    complete_to_ms = complete_to(parts, source)  # before it is read: what comes meanwhile may lack
    now_ms = parts.clock.now_ms()
    return Found(await _newest(span(query, now_ms), now_ms, read), complete_to_ms)


async def _newest(asked: Span, now_ms: int, read: Callable[..., Awaitable[Rows]]) -> Rows:
    if asked.start is not None:
        return await read(**asked.parameters(asked.start))
    latest = min(asked.end, now_ms, asked.place.at_ms if asked.place else asked.end)
    for stretch in STRETCHES_MS:
        rows = await read(**asked.parameters(max(0, latest - stretch)))
        if len(rows) > asked.limit:
            return rows
    return await read(**asked.parameters(0))


def page(
    query: ListQuery,
    found: Found,
    by: tuple[str, str],
    shown: Callable[[dict[str, Any]], object],
) -> Response:
    """Answer what ``newest`` found; ``by`` are the names of the list's time and id.

    Where there are more than the limit, ``next`` is the cursor of the last one shown.
    """
    some, following = found.rows[: query.limit], None
    if len(found.rows) > query.limit:
        at_ms, last_id = (some[-1][name] for name in by)
        following = encode(Place(at_ms, last_id, query.mark))
    return json_answer(
        {
            "rows": [shown(row) for row in some],
            "next": following,
            "complete_to_ms": found.complete_to_ms,
        }
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
