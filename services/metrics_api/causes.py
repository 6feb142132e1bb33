"""What shoppers had met before they left: exposure, and abandonment with and without it.

An association, never more; the interval is Newcombe's for a difference of two shares, each by
Wilson's score, which holds for small numbers too.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any

from msgspec.structs import replace

from services.common.asking import Asking, Rows
from services.metrics_api.metric import Metric
from services.metrics_api.metric_query import MetricQuery
from services.metrics_api.metric_rows import grid, row_of
from services.metrics_api.sums import asked, sums
from services.rollups.buckets import Bucket
from services.rollups.facts import FACTS

Z95 = 1.959964
_MEASURES = ("resolved", "abandoned", "undecided")


def cause_rows(query: MetricQuery, metric: Metric, found: Sequence[Bucket]) -> Asking[Rows]:
    """Return a row a kind of friction met by a cart of the group and bucket."""
    others = tuple(name for name in query.group_by if name != "cause")
    bare = replace(query, group_by=others, filters=tuple(_not_of_cause(query)))
    every = yield from sums(bare, asked(bare, FACTS["carts"], others, _MEASURES), found)
    names = ("cause", *others)
    ask = asked(query, FACTS["frictions"], names, (*metric.measures, *_MEASURES))
    met = yield from sums(query, ask, found)
    if not met:
        return []
    shown = []
    for bucket, group, measured in grid(query, found, names, met):
        dims = dict(zip(names, group, strict=True))
        row = row_of(metric, query, bucket, dims, measured, overlap=True)
        shown.append(row | compared(measured, every.get((bucket.from_ms, group[1:]), {})))
    return shown


def _not_of_cause(query: MetricQuery) -> list[Any]:
    return [one for one in query.filters if one.dimension != "cause"]


def compared(met: dict[str, Any], every: dict[str, Any]) -> dict[str, Any]:
    """Return exposure and abandonment with and without, of the exposed and of all carts."""
    exposed, left = int(met.get("resolved") or 0), int(met.get("abandoned") or 0)
    others = int(every.get("resolved") or 0) - exposed
    others_left = int(every.get("abandoned") or 0) - left
    shown: dict[str, Any] = {
        "exposed": exposed,
        "abandoned_with": left / exposed if exposed else None,
        "abandoned_without": others_left / others if others else None,
    }
    nothing = {"difference": None, "ci_low": None, "ci_high": None}
    return shown | (
        difference(left, exposed, others_left, others) if exposed and others else nothing
    )


def wilson(k: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval of a share."""
    share, square = k / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return middle - half, middle + half


def difference(k1: int, n1: int, k2: int, n2: int) -> dict[str, float]:
    """Return the difference of two shares with Newcombe's 95 percent interval."""
    one, two = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson(k1, n1), wilson(k2, n2)
    return {
        "difference": one - two,
        "ci_low": one - two - sqrt((one - low1) ** 2 + (high2 - two) ** 2),
        "ci_high": one - two + sqrt((high1 - one) ** 2 + (two - low2) ** 2),
    }
