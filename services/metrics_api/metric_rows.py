"""The shape of a metric's rows: groups times buckets, values, and what is still undecided."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from schemas.money import exponents
from schemas.rows import STAGES
from schemas.spans import DAY_MS
from services.common.errors import invalid
from services.common.times import rfc3339
from services.metrics_api.metric import Metric
from services.metrics_api.metric_query import Filter, MetricQuery
from services.metrics_api.sums import Group, Sums
from services.rollups.buckets import Bucket

MAX_ROWS = 200_000
NO_LASTING_ID = "the traffic has no lasting id, so nothing can be told across days"


def grid(
    query: MetricQuery, found: Sequence[Bucket], names: Sequence[str], measured: Sums
) -> Iterator[tuple[Bucket, Group, dict[str, Any]]]:
    """Yield every bucket for every group that has data anywhere; one group where there is none.

    Raises ``InvalidError`` where that is more than an answer may hold.
    """
    groups = sorted({group for _, group in measured})
    if not groups and not query.group_by:
        groups = [tuple(_currency(query) if name == "currency" else "" for name in names)]
    if len(groups) * len(found) > MAX_ROWS:
        raise invalid(
            "group_by",
            ",".join(query.group_by),
            f"{len(groups)} groups in {len(found)} buckets are more than {MAX_ROWS:,} rows; "
            "filter, or take a longer step",
        )
    for bucket in found:
        for group in groups:
            yield bucket, group, measured.get((bucket.from_ms, group), {})


def row_of(
    metric: Metric,
    query: MetricQuery,
    bucket: Bucket,
    dims: dict[str, str],
    measured: dict[str, Any],
    *,
    overlap: bool,
) -> dict[str, Any]:
    """Return one row: time, dimensions, value, then k and n, and what may still change."""
    k, n = (_number(measured, name) for name in (metric.k, metric.n))
    row: dict[str, Any] = {"time": rfc3339(bucket.start_ms)} if query.step else {}
    row |= dims
    row["value"] = _value(metric, k, n, dims.get("currency", ""))
    row |= _beside(metric, k, n, measured)
    undecided = _number(measured, metric.undecided)
    if metric.kind == "rate" or metric.undecided:
        row["open"] = undecided
    row["complete"] = undecided == 0 and bucket.end_ms <= query.now_ms - query.settling_ms
    if bucket.partial:
        row["partial"] = True
    if overlap:
        row["overlap"] = True
    return row


def pivoted(metric: Metric, measured: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return the measures of one stage under the names that ``row_of`` reads."""
    place = STAGES.index(stage)
    rate = metric.kind == "rate"
    before = STAGES[place - 1] if stage not in {"discovery", "engagement"} else ""
    k = _number(measured, stage) if before or not rate else 0
    return {
        metric.k: k,
        metric.n: _number(measured, before),
        metric.undecided: _number(measured, metric.undecided),
    }


def kept(filters: Iterable[Filter], dimension: str, value: str) -> bool:
    """Tell whether a value of a dimension passes all filters on it."""
    mine = (one for one in filters if one.dimension == dimension)
    return all((one.value == value) != one.negated for one in mine)


def count_row(dims: dict[str, str], value: int) -> dict[str, Any]:
    """Return a row of a metric of now: always complete."""
    return {**dims, "value": value, "complete": True}


def major(minor: float, currency: str) -> float:
    """Return minor units as a number of major ones, rounded to a hundredth of a minor unit."""
    exponent = exponents().get(currency, 2)
    return round(float(minor) / 10.0**exponent, exponent + 2)


def _currency(query: MetricQuery) -> str:
    """Return whose money an answer without data is: the one asked for, else the source's."""
    named = (one for one in query.filters if one.dimension == "currency" and not one.negated)
    return next((one.value for one in named), query.currency)


def _number(measured: dict[str, Any], name: str) -> int:
    return int(measured.get(name) or 0)


def _value(metric: Metric, k: int, n: int, currency: str) -> float | None:
    if metric.kind in {"count", "sum"}:
        return major(k, currency) if metric.unit == "money" else k
    if n == 0:
        return None
    if metric.unit == "money":
        return major(k / n, currency)
    return k / n / (DAY_MS if metric.unit == "days" else 1)


def _beside(metric: Metric, k: int, n: int, measured: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"k": k} if metric.kind == "rate" else {}
    if metric.kind in {"rate", "mean"}:
        shown["n"] = n
    if metric.median:
        middle = measured.get(metric.median)
        unit = DAY_MS if metric.unit == "days" else 1
        shown["p50"] = None if n == 0 or middle is None else middle / unit
    if n == 0 and _number(measured, metric.fleeting):
        shown["reason"] = NO_LASTING_ID
    return shown
