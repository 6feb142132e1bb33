"""What a benchmark has seen, handed on to the table that ends a run of several.

A benchmark that runs alone prints its own lines only; where ``python -m benchmarks`` started it,
each figure also goes, as a JSON line, to the file that the environment names.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PLACE = "BENCHMARK_FIGURES"


class Figure(NamedTuple):
    """One line of the table: what was measured, seen, asked for, and what stands beside it."""

    what: str
    seen: str
    asked: str = ""
    baseline: str = ""


def figure(what: str, seen: str, asked: str = "", baseline: str = "") -> None:
    """Hand a figure on, if anybody gathers them."""
    if place := os.environ.get(PLACE):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(Figure(what, seen, asked, baseline)) + "\n")


def read(place: Path) -> list[Figure]:
    """Return the figures that were handed on, in their order."""
    lines = place.read_text("utf-8").splitlines() if place.exists() else []
    return [Figure(*json.loads(line)) for line in lines]


def table(figures: list[Figure]) -> Iterator[str]:
    """Yield the lines of the table, as Markdown that reads well on a screen."""
    rows = [Figure("what", "seen", "asked", "baseline"), *figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, Figure(*("-" * width for width in widths)))
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"| {' | '.join(cells)} |"
