"""What commands print: results for people or as JSON, progress as a bar or as plain lines."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.common.ports import Progress as Report
from services.common.times import rfc3339

STEP = 10
"""Without a terminal, progress is told in a line each tenth of the way."""


def out(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(text + "\n")


def err(text: str) -> None:
    """Print a line for the person at the terminal, beside the result."""
    sys.stderr.write(text + "\n")


def as_json(value: object) -> None:
    """Print one JSON document."""
    out(msgspec.json.format(msgspec.json.encode(value)).decode())


def table(rows: Sequence[Mapping[str, Any]], *, json: bool, empty: str) -> None:
    """Print rows of equal columns, or ``empty`` where there is none."""
    if json:
        as_json(rows)
        return
    if not rows:
        out(empty)
        return
    names = list(rows[0])
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    for line in cells:
        out("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value) or "-"
    return str(value)


def when(at_ms: int | None) -> str:
    """Return epoch milliseconds as people read them (RFC 3339, UTC); empty where there is none."""
    return "" if at_ms is None else rfc3339(at_ms)


@contextmanager
def progress() -> Iterator[Report]:
    """Give a function that is told how far the work is; a bar on a terminal, plain lines else.

    What is done at once tells nothing, and shows nothing.
    """
    if not sys.stderr.isatty():
        yield _Lines().report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda done, of, label: bar.update(
            task, completed=done, total=of, description=label, visible=True
        )


class _Lines:
    """Tells each tenth of known work once, and nothing of unknown work but its stages."""

    def __init__(self) -> None:
        self._told = ("", -1)

    def report(self, done: int, of: int | None, label: str) -> None:
        share = done * 100 // of // STEP * STEP if of else 0
        told = (label, share)
        if told != self._told:
            self._told = told
            err(f"{label}: {share} %" if of else f"{label} …")
