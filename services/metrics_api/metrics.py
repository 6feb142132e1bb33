"""``/v1/metrics``: the list of what can be asked, and one metric's rows. Numbers: ``query.py``."""

from datetime import tzinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.common import times
from services.common.answers import json_answer
from services.common.catalog_rows import Source
from services.common.errors import invalid
from services.metrics_api import query as numbers
from services.metrics_api import scope
from services.metrics_api.auth import Reader
from services.metrics_api.errors import not_found
from services.metrics_api.lists import FORMS, commas
from services.metrics_api.metric_query import MetricQuery, parse_filter, settling
from services.metrics_api.parts import Parts, PartsOf
from services.metrics_api.registry import METRICS

router = APIRouter(tags=["metrics"])

UNTIL_NOW = "now"
A_DAY_AGO = "now-24h"
OF_NOW = frozenset({"source", "group_by", "filter", "from_", "to", "tz"})
"""What a metric of now takes; a range too, for a dashboard asks every metric with its own."""


class MetricParameters(BaseModel):
    """One question about a metric."""

    model_config = ConfigDict(extra="forbid")

    from_: str | None = Field(
        default=None, alias="from", description=f"start, included, default now-24h: {FORMS}"
    )
    to: str | None = Field(default=None, description=f"end, not included, default now: {FORMS}")
    step: str = Field(
        "", description="width of a bucket: 15m, 1h, 1d, 1w, 1mo, 1y; none for one row"
    )
    tz: str | None = Field(default=None, description="IANA zone; default the source's")
    source: str | None = Field(default=None, description="needed where there is more than one")
    group_by: Annotated[
        list[str],
        commas,
        Field(default_factory=list, description="a,b; rows of groups that have data"),
    ]
    filter: Annotated[
        list[str], Field(default_factory=list, description="channel:email or device:!mobile")
    ]
    touch: Literal["first", "last"] = Field("last", description="whose channel counts")
    include_bots: bool = False


@router.get("/v1/metrics")
async def list_metrics(access: Reader) -> Response:
    """List every metric with its unit, definition and dimensions."""
    del access  # definitions hold no data
    return json_answer(
        [
            {
                "name": metric.name,
                "unit": metric.unit,
                "definition": metric.definition,
                "dimensions": metric.dimensions,
            }
            for metric in METRICS.values()
        ]
    )


@router.get("/v1/metrics/{name}")
async def one_metric(
    name: str, asked: Annotated[MetricParameters, Query()], access: Reader, parts: PartsOf
) -> Response:
    """Answer one metric as flat rows; a rate carries `k` and `n`, null where `n` is 0."""
    metric = METRICS.get(name)
    if metric is None:
        raise not_found("metric", name, hint="; GET /v1/metrics lists them")
    if metric.kind == "now":
        _only_now(name, asked)
    query = await _question(name, asked, await scope.one(parts, access, asked.source), parts)
    if metric.kind == "now":
        return json_answer(await numbers.now_rows(parts.live, query))
    return json_answer(await parts.store.answer(name, numbers.asking_rows(query)))


def _only_now(metric: str, asked: MetricParameters) -> None:
    """Refuse what would be passed over in silence, such as a step."""
    for name in sorted(asked.model_fields_set - OF_NOW):
        value = getattr(asked, name)
        if value != MetricParameters.model_fields[name].default:
            why = f"{metric} tells of now: there are source, group_by and filter, and no history"
            raise invalid(name.rstrip("_"), value, why)


async def _question(
    name: str, asked: MetricParameters, source: Source, parts: Parts
) -> MetricQuery:
    tz = asked.tz or source.timezone
    now, zone = parts.clock.now_ms(), _zone(tz)
    start = times.parse("from", asked.from_ or A_DAY_AGO, now, zone)
    end = times.parse("to", asked.to or UNTIL_NOW, now, zone)
    if start >= end:
        raise invalid("to", asked.to or UNTIL_NOW, f"must be later than from = {asked.from_!r}")
    return MetricQuery(
        metric=name,
        source=source.name,
        from_ms=start,
        to_ms=end,
        now_ms=parts.reach.within(await parts.live.clock_ms()) or 0,
        settling_ms=settling(parts.rules(source.name).policy.time),
        step=asked.step,
        tz=tz,
        group_by=tuple(asked.group_by),
        filters=tuple(parse_filter(text) for text in asked.filter),
        touch=asked.touch,
        include_bots=asked.include_bots,
        currency=source.currency,
    )


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("tz", name, "is no IANA time zone such as Europe/Berlin") from None
