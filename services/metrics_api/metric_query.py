"""What is asked of a metric, as one frozen object."""

from typing import Literal

from msgspec import Struct

from services.common.errors import InvalidError
from services.metrics_api.metric import Metric
from services.metrics_api.registry import METRICS


class Filter(Struct, frozen=True):
    """Keep what has (negated: has not) a value of a dimension."""

    dimension: str
    value: str
    negated: bool = False


class MetricQuery(Struct, frozen=True, kw_only=True):
    """One question: [from, to) of one source.

    ``now_ms`` is the log's clock, which decides what is complete; ``currency`` is the source's,
    for an answer of money without data; ``tz`` an IANA name, to whose midnight steps align.
    ``raw`` reads past the roll-ups, to check and to measure them.
    """

    metric: str
    source: str
    from_ms: int
    to_ms: int
    now_ms: int
    step: str = ""
    tz: str = "UTC"
    group_by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    touch: Literal["last", "first"] = "last"
    include_bots: bool = False
    currency: str = ""
    raw: bool = False


def parse_filter(text: str) -> Filter:
    """Read ``channel:email`` or ``device:!mobile``; raises ``InvalidError`` without a colon."""
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise InvalidError(f"filter={text!r} is not DIMENSION:VALUE or DIMENSION:!VALUE")
    value = value.lower() if name == "stage" else value
    return Filter(name, value.removeprefix("!"), value.startswith("!"))


def metric_of(query: MetricQuery) -> Metric:
    """Return the metric asked for; raises ``InvalidError`` naming what it does not know."""
    metric = METRICS.get(query.metric)
    if metric is None:
        raise InvalidError(f"metric={query.metric!r} is unknown; GET /v1/metrics lists them")
    asked = [("group_by", name) for name in query.group_by]
    asked += [("filter", one.dimension) for one in query.filters]
    for parameter, name in asked:
        if name not in metric.dimensions:
            known = ", ".join(metric.dimensions) or "none"
            raise InvalidError(f"{parameter}={name!r}: {metric.name} has the dimensions {known}")
    return metric
