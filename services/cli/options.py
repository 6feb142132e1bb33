"""Options that several commands share, each worded once, and their reading."""

import time
from pathlib import Path
from typing import Annotated

import typer

from services.common.errors import InvalidError
from services.common.times import parse
from services.formats.registry import FORMATS

Data = Annotated[
    str | None, typer.Option(help="Data folder; else WAYMARK_DATA, else ./waymark-data.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Files = Annotated[list[Path], typer.Argument(help="Files; gzip and zstd by extension.")]
Format = Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")]
Source = Annotated[
    str | None, typer.Option(help="Storefront; may be left out where there is only one.")
]
From = Annotated[str | None, typer.Option("--from", help="RFC 3339, epoch, or now-6h.")]
To = Annotated[str | None, typer.Option("--to", help="RFC 3339, epoch, or now-6h.")]


def check_file(what: str, path: Path, *, pipe: bool = False) -> None:
    """Refuse a path on which there is no file to read, nor a pipe where that will do."""
    if path.is_dir():
        raise InvalidError(f"{what} {path} is a folder: name a file in it")
    if not path.exists():
        raise InvalidError(f"{what} {path} does not exist")
    if not (pipe or path.is_file()):
        raise InvalidError(f"{what} {path} is no file: save what comes from there in one")


def time_ms(option: str, text: str | None) -> int | None:
    """Return the epoch milliseconds an option names, None where it was not given."""
    return None if text is None else parse(option, text, time.time_ns() // 1_000_000)
