"""The seal job: sums what nothing live can change any more into the roll-ups.

For some buckets of a fact at a time it

1. writes *pending* seals: dirty, version v - 1,
2. sums the rows into the roll-up under version v,
3. writes the seals clean, version v.

A crash before 3 leaves buckets dirty and roll-up rows that no seal names: they count nothing. A
row that arrives between 1 and 3 marks its bucket with a greater version (``marks``), so that 3
does not clean it. Should two jobs run at once (a loader that lost its place, and the next one),
each sums under a version of its own, and the greater one counts: sealing again is harmless.
"""

import secrets
from collections.abc import Iterator, Sequence

import msgspec

from schemas.spans import DAY_MS
from services.common.ports import Progress, Storage, nothing
from services.loader.marks import AHEAD
from services.loader.retention import ROLLUPS_MS
from services.loader.text import text
from services.rollups.buckets import QUARTER, days
from services.rollups.facts import CALLS, FACTS, Fact
from services.rollups.sql import Range, bound, facts_sql, within
from services.rollups.tiers import MAX_RANGES, clean_runs, complement, seal_zone, unit_of

CHUNK_MS = 45 * DAY_MS
"""How much time one statement sums: bounds its memory."""
EMPTY = "''"


def seal(storage: Storage, source: str, tz: str, now_ms: int, progress: Progress = nothing) -> int:
    """Seal every bucket of a source that is due or dirty; return how many.

    ``now_ms`` is the log's clock; ``tz`` the source's zone, whose days some facts are summed by.
    """
    done = 0
    facts = [fact for fact in FACTS.values() if not fact.whole]
    for number, fact in enumerate(facts):
        for buckets in _due(storage, fact, source, tz, now_ms):
            _seal(storage, fact, source, tz, buckets)
            done += len(buckets)
            progress(number, len(facts), f"sealing {fact.name}")
    return done


def _due(storage: Storage, fact: Fact, source: str, tz: str, now_ms: int) -> Iterator[list[Range]]:
    """Yield the buckets to seal, in groups that one statement may sum."""
    first = _first(storage, fact, source)
    if first is None:
        return
    start = unit_of(fact, tz, max(first, now_ms - ROLLUPS_MS + DAY_MS))[0]
    end = unit_of(fact, tz, now_ms - fact.lag_ms)[0]
    if start >= end:
        return
    open_runs = complement(clean_runs(storage, fact, source, tz, (start, end)), (start, end))
    group: list[Range] = []
    for unit in _units(fact, tz, open_runs):
        if group and (_wide(group, unit) or _scattered(group, unit)):
            yield group
            group = []
        group.append(unit)
    if group:
        yield group


def _first(storage: Storage, fact: Fact, source: str) -> int | None:
    sql = text("first", anchor=fact.anchor, table=fact.table)
    (row,) = storage.query(sql, {"source": source})
    return int(row["first"]) if int(row["n"]) else None


def _units(fact: Fact, tz: str, runs: Sequence[Range]) -> Iterator[Range]:
    for start, end in runs:
        if fact.grain == "day":
            yield from days(start, end, tz)
        else:
            yield from ((at, at + QUARTER) for at in range(start, end, QUARTER))


def _wide(group: Sequence[Range], unit: Range) -> bool:
    return unit[1] - group[0][0] > CHUNK_MS


def _scattered(group: Sequence[Range], unit: Range) -> bool:
    return unit[0] != group[-1][1] and len(_runs(group)) >= MAX_RANGES


def _runs(units: Sequence[Range]) -> list[Range]:
    found: list[Range] = []
    for start, end in units:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def _seal(storage: Storage, fact: Fact, source: str, tz: str, buckets: Sequence[Range]) -> None:
    (row,) = storage.query(text("newest_seal"), {"source": source})
    version = int(row["newest"]) + 2 + secrets.randbelow(AHEAD // 2)
    shared = {"source": source, "fact": fact.name, "tz": seal_zone(fact, tz)}
    _write(storage, shared, buckets, version - 1, dirty=True)
    runs = _runs(buckets)
    edges = [start for start, _ in buckets]
    parameters = {
        "source": source,
        "version": version,
        "edges": edges,
        "cuts": [0, *edges],
        "bots": 0,
    }
    storage.command(seal_sql(fact, runs), {**parameters, **bound("r", runs)})
    _write(storage, shared, buckets, version, dirty=False)


def seal_sql(fact: Fact, runs: Sequence[Range]) -> str:
    """Return the statement that sums a fact over some stretches into its roll-up."""
    measures, cubes = ", ".join(fact.measures), _cubes(fact)
    return text(
        "seal",
        rollup=f"rollup_{fact.name}",
        measures=measures,
        summed=", ".join(f"{CALLS[how][0]}({name})" for name, how in fact.measures.items()),
        cubes=cubes,
        facts=facts_sql(fact, runs, f"{measures} {cubes}"),
        ranges=within("t", "r", runs),
    )


def _cubes(fact: Fact) -> str:
    """Return an array of one tuple a cube: its name, then up to four values.

    A cube with a dimension of many values gives one tuple for each of them.
    """
    one_each, many = [], []
    for cube in fact.cubes:
        found = [one for one in map(fact.dimension, cube) if one]
        values = [f"toString({'each' if one.touched else one.name})" for one in found]
        row = f"('{','.join(cube)}', {', '.join((values + [EMPTY] * 4)[:4])})"
        column = next((one.group for one in found if one.touched), "")
        if column:
            each = column.removeprefix("arrayJoin(").removesuffix(")")
            many.append(f"arrayMap(each -> {row}, {each})")
        else:
            one_each.append(row)
    fixed = f"[{', '.join(one_each)}]"
    return f"arrayConcat({', '.join([fixed, *many])})"


def _write(
    storage: Storage,
    shared: dict[str, str],
    buckets: Sequence[Range],
    version: int,
    *,
    dirty: bool,
) -> None:
    seals = ({**shared, "bucket_ms": start, "end_ms": end} for start, end in buckets)
    lines = [msgspec.json.encode({**one, "version": version, "dirty": dirty}) for one in seals]
    storage.insert("seals", lines, f"{shared['source']}/{shared['fact']}/{version}")
