"""``waymark replay``: a file through the ingest API, as a storefront would send it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import httpx
import typer

from services.cli import say
from services.cli.options import Files, Format, Json, check_file
from services.cli.send import PATIENCE_S, Rejected, Sender
from services.cli.shift import shift_ms, shifted
from services.common.errors import RetryableError, UnavailableError
from services.formats.items import Read
from services.formats.reading import hint, read_file

REJECTED = 1
TIMEOUT_S = 30.0


def replay(
    files: Files,
    to: Annotated[str, typer.Option(help="Address of Waymark, such as http://127.0.0.1:8080.")],
    key: Annotated[str, typer.Option(help="Write key.", envvar="WAYMARK_REPLAY_KEY")],
    form: Format = "waymark",
    rate: Annotated[int | None, typer.Option(min=1, help="Events a second at most.")] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="Move times so that the last event is now.")
    ] = False,
    from_line: Annotated[
        int, typer.Option(min=1, help="Go on at this line (of the first file).")
    ] = 1,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds an absent or busy server is waited for.")
    ] = PATIENCE_S,
    json: Json = False,
) -> None:
    """Send files of events through the ingest API, in order.

    Exit status 1 where lines were rejected; each is named.

    Example: waymark replay october.csv.gz --format rees46 --to http://127.0.0.1:8080 --key KEY
    """
    for file in files:
        check_file("file", file)
    by_ms = _shift(files, form) if shift_to_now else 0
    rejected: list[Rejected] = []
    accepted = 0
    with httpx.Client(base_url=to, timeout=TIMEOUT_S) as client:
        for number, file in enumerate(files):
            sender = Sender(client, key, rate, patience_s=patience)
            rejected += _send(sender, file, form, by_ms, from_line if number == 0 else 1)
            accepted += sender.accepted
    if json:
        say.as_json({"accepted": accepted, "rejected": rejected})
    else:
        say.out(f"{accepted} accepted, {len(rejected)} rejected")
    if rejected:
        for file in () if accepted else files:
            _tell_hint(file, form)
        raise typer.Exit(REJECTED)


def _tell_hint(file: Path, form: str) -> None:
    found = hint(file, form)
    if found:
        say.err(f"{file}: {found}")


def _shift(files: list[Path], form: str) -> int:
    now_ms = time.time_ns() // 1_000_000
    return min(shift_ms(read_file(file, form), now_ms) for file in files)


def _send(sender: Sender, file: Path, form: str, by_ms: int, from_line: int) -> list[Rejected]:
    rejected: list[Rejected] = []
    with say.progress() as report:
        size, label = file.stat().st_size, f"sending {file.name}"
        items = _items(file, form, by_ms, from_line, lambda done: report(done, size, label))
        try:
            for one in sender.send(items):
                rejected.append(one)
                say.err(f"{file}, line {one.line}: {one.message}")
        except RetryableError as error:
            raise UnavailableError(
                f"{error}; go on with --from-line {max(sender.next_line, from_line)}"
            ) from error
    return rejected


def _items(file: Path, form: str, by_ms: int, from_line: int, seen: Callable[[int], None]) -> Read:
    """Read and shift; lines before ``from_line`` only count for the numbers."""
    later = (one for one in read_file(file, form, seen) if one.line >= from_line)
    return shifted(later, by_ms) if by_ms else later
