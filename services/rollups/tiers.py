"""Which stretches of a question are answered from roll-ups, and which from rows.

A bucket of a roll-up is *sealed* once nothing live can change it, and *dirty* when something did
after all (a late row, a refund, a rebuild, an erasure). Clean sealed buckets are read from the
roll-up; all others, and those that an edge of the answer's own buckets cuts, are read raw.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from services.common.asking import Asking, answered
from services.common.ports import Storage
from services.rollups.buckets import day_of, quarter_of, zone
from services.rollups.facts import Fact
from services.rollups.sql import Range, text

MAX_RANGES = 12
"""More raw stretches than this are joined over the shortest gaps, so that SQL stays short."""


class Tiers(Struct, frozen=True):
    """Stretches read raw and stretches read from the roll-up; together the whole, none twice."""

    raw: list[Range]
    sealed: list[Range]


def tiers(fact: Fact, source: str, tz: str, edges: Sequence[int]) -> Asking[Tiers]:
    """Split a question for a fact; ``edges`` are its buckets' edges, first and last included."""
    whole = (edges[0], edges[-1])
    clean = yield from _clean(fact, source, tz, whole)
    raw = joined(complement(clean, whole) + cut_units(fact, tz, edges), whole)
    return Tiers(raw, complement(raw, whole))


def seal_zone(fact: Fact, tz: str) -> str:
    """Return the zone under which a fact's seals stand: quarters of an hour need none."""
    return tz if fact.grain == "day" else ""


def unit_of(fact: Fact, tz: str, at_ms: int) -> Range:
    """Return the bucket of the fact's roll-up that holds an instant."""
    return day_of(at_ms, zone(tz)) if fact.grain == "day" else quarter_of(at_ms)


def cut_units(fact: Fact, tz: str, edges: Sequence[int]) -> list[Range]:
    """Return the roll-up's buckets that one of the edges falls inside."""
    units = ((edge, unit_of(fact, tz, edge)) for edge in edges)
    return list(dict.fromkeys(unit for edge, unit in units if unit[0] != edge))


def clean_runs(storage: Storage, fact: Fact, source: str, tz: str, whole: Range) -> list[Range]:
    """Return the unbroken runs of sealed, clean buckets that lie within a stretch, in order."""
    return answered(storage, _clean(fact, source, tz, whole))


def _clean(fact: Fact, source: str, tz: str, whole: Range) -> Asking[list[Range]]:
    rows = yield (
        text("islands"),
        {
            "source": source,
            "fact": fact.name,
            "tz": seal_zone(fact, tz),
            "from_ms": whole[0],
            "to_ms": whole[1],
        },
    )
    starts = [int(row["bucket_ms"]) for row in rows if row["starts"]]
    ends = [int(row["end_ms"]) for row in rows if row["ends"]]
    return list(zip(starts, ends, strict=True))


def complement(ranges: Sequence[Range], whole: Range) -> list[Range]:
    """Return what the ranges, in order and apart, leave of the whole."""
    edges = [whole[0], *(edge for one in ranges for edge in one), whole[1]]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(start, end) for start, end in pairs if start < end]


def joined(ranges: Sequence[Range], whole: Range) -> list[Range]:
    """Return the ranges in order, clipped, those that touch united, and few enough for a query."""
    found: list[Range] = []
    for start, end in sorted((max(a, whole[0]), min(b, whole[1])) for a, b in ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif start < end:
            found.append((start, end))
    while len(found) > MAX_RANGES:
        gaps = [after[0] - before[1] for before, after in pairwise(found)]
        least = gaps.index(min(gaps))
        found[least : least + 2] = [(found[least][0], found[least + 1][1])]
    return found
