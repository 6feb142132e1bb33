"""What is asked of a metric, as one frozen object."""

from typing import Literal, get_args

from msgspec import Struct

from schemas.event import EventType, Origin, PageKind
from schemas.money import exponents
from schemas.rows import STAGES, Friction, SignalKind
from services.common.errors import invalid
from services.loader.pace import ARRIVES_MS
from services.metrics_api.metric import Metric
from services.metrics_api.registry import METRICS
from services.sessionizer.core.live import UNSTAGED
from services.sessionizer.core.policy import Time

CLOSED: dict[str, tuple[str, ...]] = {
    "cause": get_args(Friction),
    "customer_type": ("new", "returning"),
    "kind": get_args(SignalKind),
    "origin": get_args(Origin),
    "page_kind": get_args(PageKind),
    "stage": STAGES,
    "type": get_args(EventType),
}
"""What the values of a dimension may be, of those of which there is a list. Of the others there is
none: a storefront may send its own channel or device."""


def settling(time: Time) -> int:
    """Return how long before the log's clock something happened that is surely in storage.

    An event waits for the grace, the row of what it leaves open until one may be emitted again,
    and a row for the loader (``services.loader.pace``).
    """
    return time.grace_ms + time.emit_every_ms + ARRIVES_MS


class Filter(Struct, frozen=True):
    """Keep what has (negated: has not) a value of a dimension."""

    dimension: str
    value: str
    negated: bool = False


class MetricQuery(Struct, frozen=True, kw_only=True):
    """One question: [from, to) of one source.

    ``now_ms`` is the log's clock, an earlier one where storage lacks more than it may (``reach``),
    and what happened ``settling_ms`` before it is in storage: they decide what is complete.
    ``currency`` is the source's, for an answer of money without data; ``tz`` an IANA name, to whose
    midnight steps align.
    ``raw`` reads past the roll-ups, to check and to measure them.
    """

    metric: str
    source: str
    from_ms: int
    to_ms: int
    now_ms: int
    settling_ms: int = settling(Time())
    step: str = ""
    tz: str = "UTC"
    group_by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    touch: Literal["last", "first"] = "last"
    include_bots: bool = False
    currency: str = ""
    raw: bool = False


def parse_filter(text: str) -> Filter:
    """Read ``channel:email`` or ``device:!mobile``; stages and currencies are taken in any case.

    Raises ``InvalidError`` without a colon.
    """
    name, colon, value = text.partition(":")
    if not colon or not name:
        raise invalid("filter", text, "is not DIMENSION:VALUE or DIMENSION:!VALUE")
    if name == "stage":
        value = value.lower()
    elif name == "currency":
        value = value.upper()
    return Filter(name, value.removeprefix("!"), value.startswith("!"))


def metric_of(query: MetricQuery) -> Metric:
    """Return the metric asked for; raises ``InvalidError`` naming what it does not know."""
    metric = METRICS.get(query.metric)
    if metric is None:
        raise invalid("metric", query.metric, "is unknown; GET /v1/metrics lists them")
    asked = [("group_by", name) for name in query.group_by]
    asked += [("filter", one.dimension) for one in query.filters]
    for parameter, name in asked:
        if name not in metric.dimensions:
            known = ", ".join(metric.dimensions) or "none"
            raise invalid(parameter, name, f"{metric.name} has the dimensions {known}")
    for one in query.filters:
        _check_value(metric, one)
    return metric


def _check_value(metric: Metric, asked: Filter) -> None:
    """Refuse a value that nothing can have; an empty one asks for what has none."""
    given = f"{asked.dimension}:{asked.value}"
    if asked.dimension == "currency" and asked.value and asked.value not in exponents():
        raise invalid("filter", given, "is no currency code of ISO 4217 such as EUR")
    known = CLOSED.get(asked.dimension, ())
    if metric.kind == "now" and asked.dimension == "stage":
        known += (UNSTAGED,)
    if known and asked.value and asked.value not in known:
        raise invalid("filter", given, f"{asked.dimension} is none of {', '.join(known)}")
