"""A question in, rows out, exactly as docs/api.md words them (*Metrics*).

``asking_rows`` asks storage, ``rows`` does so and waits; metrics of *now* (``kind == "now"``) come
from the live view: ``now_rows``. All raise ``InvalidError`` naming the parameter and value that
they cannot take.
"""

from msgspec.structs import replace

from schemas.rows import STAGES
from services.common.asking import Asking, Rows, answered
from services.common.errors import invalid
from services.common.ports import LiveView, Storage
from services.metrics_api.causes import cause_rows
from services.metrics_api.metric import Metric
from services.metrics_api.metric_query import Filter, MetricQuery, metric_of
from services.metrics_api.metric_rows import count_row, grid, kept, pivoted, row_of
from services.metrics_api.sums import asked, sums, taken_off
from services.rollups.buckets import Bucket, buckets
from services.rollups.facts import FACTS


def rows(storage: Storage, query: MetricQuery) -> Rows:
    """Return the rows of a metric as ``asking_rows`` does. Blocking."""
    return answered(storage, asking_rows(query))


def asking_rows(query: MetricQuery) -> Asking[Rows]:
    """Return the rows of a metric, by time and then by group.

    Every bucket is present for every group that has data anywhere in the range; money is in
    major units.
    """
    metric = metric_of(query)
    if metric.kind == "now":
        raise invalid("metric", metric.name, "tells of now; it has no history")
    found = buckets(query.from_ms, query.to_ms, query.step, query.tz)
    if metric.name == "causes":
        return (yield from cause_rows(query, metric, found))
    if metric.pivot:
        return (yield from _stage_rows(query, metric, found))
    names = (*query.group_by, *(one for one in metric.always if one not in query.group_by))
    fact = metric.fact_for(frozenset(names) | {one.dimension for one in query.filters})
    ask = asked(query, fact, names, metric.measures)
    measured = yield from sums(query, ask, found)
    if metric.less:
        other, name = metric.less
        given = yield from sums(query, asked(query, FACTS[other], names, (name,)), found)
        measured = taken_off(measured, metric.k, given, name)
    overlap = any(one.touched or one.name in metric.overlaps for one in ask.groups)
    shown = []
    for bucket, group, one in grid(query, found, names, measured):
        dims = dict(zip(names, group, strict=True))
        shown.append(row_of(metric, query, bucket, dims, one, overlap=overlap))
    return shown


async def now_rows(live: LiveView, query: MetricQuery) -> Rows:
    """Return the rows of a metric of now, from the live view; ``live_visitors`` by stage.

    Raises ``MovingError`` where the partition has no owner right now.
    """
    metric = metric_of(query)
    if metric.name == "open_carts":
        return [count_row({}, await live.open_carts(query.source))]
    if metric.name == "live_visitors":
        found = await live.live_visitors(query.source)
        stages = [*STAGES, *sorted(found.keys() - set(STAGES))]
        return [
            count_row({"stage": stage}, found.get(stage, 0))
            for stage in stages
            if kept(query.filters, "stage", stage)
        ]
    raise invalid("metric", metric.name, "is no metric of now")


def _stage_rows(query: MetricQuery, metric: Metric, found: list[Bucket]) -> Asking[Rows]:
    """Turn one measure a stage into one row a stage; filters by stage choose among the rows."""
    chosen = [stage for stage in STAGES if kept(query.filters, "stage", stage)]
    names = tuple(name for name in query.group_by if name != "stage")
    others: tuple[Filter, ...] = tuple(one for one in query.filters if one.dimension != "stage")
    bare = replace(query, group_by=names, filters=others)
    fact = metric.fact_for(frozenset(names))
    ask = asked(bare, fact, names, (*STAGES, metric.undecided))
    overlap = any(one.touched for one in ask.groups)
    summed = yield from sums(bare, ask, found)
    shown = []
    for bucket, group, measured in grid(bare, found, names, summed):
        for stage in chosen:
            one = pivoted(metric, measured, stage)
            dims = {"stage": stage, **dict(zip(names, group, strict=True))}
            shown.append(row_of(metric, query, bucket, dims, one, overlap=overlap))
    return shown
