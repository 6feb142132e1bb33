"""The one query that joins the two tiers: sums of a fact by bucket and group."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from services.common.asking import Asking
from services.common.errors import invalid
from services.common.named_sql import NamedSql
from services.metrics_api.metric_query import Filter, MetricQuery
from services.rollups.buckets import Bucket
from services.rollups.facts import CALLS, Dimension, Fact
from services.rollups.sql import bound, facts_sql, within
from services.rollups.tiers import Tiers, complement, seal_zone, tiers

text = NamedSql("services.metrics_api")

Group = tuple[str, ...]
Sums = dict[tuple[int, Group], dict[str, Any]]
"""By bucket start and group: each measure's sum."""


class Asked(Struct, frozen=True):
    """A question resolved against a fact: what to group by, to keep, and to sum."""

    fact: Fact
    groups: tuple[Dimension, ...]
    filters: tuple[tuple[Dimension, Filter], ...]
    measures: tuple[str, ...]
    rows_alone: bool = False

    @property
    def cube(self) -> tuple[str, ...] | None:
        """Return the smallest set of dimensions of the roll-up that can answer, if any."""
        if self.rows_alone or self.fact.whole or self._touched_twice():
            return None
        needed = {one.name for one in self.groups} | {one.name for one, _ in self.filters}
        return next((cube for cube in self.fact.cubes if needed <= set(cube)), None)

    def _touched_twice(self) -> bool:
        # Sums by what a row touched overlap: they can tell one value's rows, or each value's, but
        # not which rows lack a value, nor what the rows that touched one touched besides.
        touched = [one for one in self.groups if one.touched]
        touched += [one for one, _ in self.filters if one.touched]
        return len(touched) > 1 or any(one.touched and kept.negated for one, kept in self.filters)


def asked(query: MetricQuery, fact: Fact, names: Sequence[str], measures: Sequence[str]) -> Asked:
    """Resolve names into the fact's dimensions; ``touch=first`` reads the first channel."""

    def dimension(name: str) -> Dimension:
        first = name == "channel" and query.touch == "first" and fact.dimension("first_channel")
        found = first or fact.dimension(name)
        if found is None:
            others = sorted({*names, *(one.dimension for one in query.filters)} - {name})
            why = f"cannot be told by {name!r} and {others} at once"
            raise invalid("metric", query.metric, why)
        return found

    return Asked(
        fact,
        tuple(dimension(name) for name in names),
        tuple((dimension(one.dimension), one) for one in query.filters),
        tuple(dict.fromkeys(name for name in measures if name)),
        query.include_bots or query.raw,
    )


def sums(query: MetricQuery, ask: Asked, found: Sequence[Bucket]) -> Asking[Sums]:
    """Sum the measures over both tiers; a bucket or group without rows is absent."""
    edges = [bucket.from_ms for bucket in found]
    stretch = (*edges, found[-1].to_ms)
    split = yield from _split(query, ask, stretch)
    cuts = sorted({0, *edges, *(edge for one in split.raw for edge in one)})
    parameters: dict[str, Any] = {
        "source": query.source,
        "bots": int(query.include_bots),
        "edges": edges,
        "cuts": cuts,
        "fact": ask.fact.name,
        "tz": seal_zone(ask.fact, query.tz),
        "cube": ",".join(ask.cube or ()),
        **bound("r", split.raw),
        **bound("s", split.sealed),
        **{f"f{i}": one.value for i, (_, one) in enumerate(ask.filters)},
    }
    rows = yield joined_sql(ask, split), parameters
    return {(int(row["bucket"]), _group(row, ask)): row for row in rows}


def taken_off(one: Sums, name: str, other: Sums, less: str) -> Sums:
    """Return the sums of one fact with a measure of another taken off one of theirs."""
    return {
        key: {name: int(one.get(key, {}).get(name, 0)) - int(other.get(key, {}).get(less, 0))}
        for key in one.keys() | other.keys()
    }


def _split(query: MetricQuery, ask: Asked, stretch: Sequence[int]) -> Asking[Tiers]:
    whole = (stretch[0], stretch[-1])
    if ask.cube is None:
        return Tiers([whole], complement([whole], whole))
    return (yield from tiers(ask.fact, query.source, query.tz, stretch))


def _group(row: dict[str, Any], ask: Asked) -> Group:
    return tuple(str(row[f"g{i}"]) for i in range(len(ask.groups)))


def joined_sql(ask: Asked, split: Tiers) -> str:
    """Return the statement that reads both tiers."""
    parts = [raw_sql(ask, split)] if split.raw else []
    if split.sealed:
        parts.append(sealed_sql(ask, split))
    return text(
        "sums",
        groups="".join(f"g{i}, " for i in range(len(ask.groups))),
        merged=_calls(ask, 2, [f"m{i}" for i in range(len(ask.measures))], ask.measures),
        tiers="\nUNION ALL\n".join(parts),
        group_by=_group_by(ask),
    )


def raw_sql(ask: Asked, split: Tiers) -> str:
    """Return the part that reads rows."""
    groups = _groups([one.group for one in ask.groups])
    summed = _calls(ask, 0, ask.measures)
    filters = _filters(ask, [one.match for one, _ in ask.filters])
    return text(
        "raw",
        groups=groups,
        summed=summed,
        facts=facts_sql(ask.fact, split.raw, f"{groups} {summed} {filters}"),
        ranges=within("t", "r", split.raw),
        filters=filters,
        group_by=_group_by(ask),
    )


def sealed_sql(ask: Asked, split: Tiers) -> str:
    """Return the part that reads the roll-up."""
    places = {name: f"d{i}" for i, name in enumerate(ask.cube or (), start=1)}
    return text(
        "sealed",
        groups=_groups([places[one.name] for one in ask.groups]),
        folded=_calls(ask, 1, ask.measures),
        rollup=f"rollup_{ask.fact.name}",
        sealed=within("t", "s", split.sealed),
        filters=_filters(ask, [f"{places[one.name]} = {{}}" for one, _ in ask.filters]),
        group_by=_group_by(ask),
    )


def _groups(expressions: Sequence[str]) -> str:
    return "".join(f"CAST({one} AS String) AS g{i}, " for i, one in enumerate(expressions))


def _group_by(ask: Asked) -> str:
    return "".join(f", g{i}" for i in range(len(ask.groups)))


def _calls(
    ask: Asked, tier: int, columns: Sequence[str], names: Sequence[str] | None = None
) -> str:
    called = names or [f"m{i}" for i in range(len(ask.measures))]
    calls = (CALLS[ask.fact.measures[measure]][tier] for measure in ask.measures)
    parts = zip(calls, columns, called, strict=True)
    return ", ".join(f"{call}({column}) AS {name}" for call, column, name in parts)


def _filters(ask: Asked, matches: Sequence[str]) -> str:
    parts = []
    for i, (match, (_, one)) in enumerate(zip(matches, ask.filters, strict=True)):
        condition = match.replace("{}", f"{{f{i}:String}}")
        parts.append(f"NOT ({condition})" if one.negated else f"({condition})")
    return " AND ".join(parts) or "1"
