"""The rows of the table, and how it is printed."""

from collections.abc import Iterable

from msgspec import Struct

HEAD = ("what", "wall/s", "per CPU-s", "asked", "beside it")


class Row(Struct, frozen=True):
    """One line of the table.

    ``wall`` and ``core``: events (requests, rows) a second, and a CPU-second of the process
    measured; None where the line has no rate. ``other``: what else was measured, in words.
    ``missing``: why there is no figure; such a line has none.
    """

    what: str
    wall: float | None = None
    core: float | None = None
    asked: str = ""
    other: str = ""
    missing: str = ""


def missing(what: str, why: str, asked: str = "") -> Row:
    """Return the line of something that could not be measured."""
    return Row(what, asked=asked, missing=why)


def rate(value: float | None) -> str:
    """Return a rate as the table shows it."""
    return "" if value is None else f"{value:,.0f}"


def table(rows: Iterable[Row]) -> str:
    """Return the lines as one table with aligned columns."""
    cells = [HEAD]
    for row in rows:
        note = f"-- {row.missing}" if row.missing else row.other
        cells.append((row.what, rate(row.wall), rate(row.core), row.asked, note))
    widths = [max(len(line[at]) for line in cells) for at in range(len(HEAD))]
    text = []
    for line in cells:
        what, wall, core, asked, note = line
        text.append(
            f"{what:<{widths[0]}}  {wall:>{widths[1]}}  {core:>{widths[2]}}  "
            f"{asked:<{widths[3]}}  {note}".rstrip()
        )
    text.insert(1, "-" * max(len(each) for each in text[:1]))
    return "\n".join(text)
