"""A file of any format from its first event to its last, and what to try where none is taken."""

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from schemas.refusal import shown
from services.common.errors import InvalidError
from services.formats.files import CutError, read_lines
from services.formats.items import BadLine, Format, Item, Line, OtherFormatError, Read
from services.formats.numbering import numbered
from services.formats.registry import FORMATS, format_named

HEAD = 20
"""So many lines tell a format."""
KNOWN = ", ".join(FORMATS)
PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
"""A name that jq and every shell take as it is: another one could be a command of the file's."""


def read_file(path: Path, form: str, seen: Callable[[int], None] | None = None) -> Read:
    """Yield what stands in a file, each event with an id; ``seen`` as of ``read_lines``.

    A file that cannot be read to its end ends in a rejected line. Raises ``InvalidError`` naming
    the file, with nothing yielded, where it cannot be read at all or is of another format.
    """
    try:
        yield from numbered(format_named(form)(read_lines(path, seen)))
    except OtherFormatError as error:
        more = hint(path, form)
        raise InvalidError(f"file {path}: {error}{f'; {more}' if more else ''}") from error
    except CutError as cut:
        why = f"{cut.why}. What stands before is taken; mend the file and send it again whole: "
        yield BadLine(cut.line, "", f"{why}nothing counts twice", b"")


def hint(path: Path, form: str) -> str:
    """Say what may help with a file of which a format took nothing, as far as its head tells."""
    try:
        head = list(islice(read_lines(path), HEAD))
    except InvalidError:
        return ""
    # the strictest first: any JSON with a time can be read as Waymark's own
    other = next((name for name in reversed(FORMATS) if name != form and _reads(name, head)), None)
    if other:
        return f"the file looks like --format {other}"
    if _reads(form, head):
        return ""
    first = next((line.strip() for _, line in head if line.strip()), b"")
    return _of_json(first) or f"is it of another format? --format takes one of {KNOWN}"


def _of_json(line: bytes) -> str:
    """Say what may be wrong with JSON that no format reads; nothing where it is none."""
    if not line.startswith((b"{", b"[")):
        return ""
    try:
        fields = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "JSON is read one object a line: jq -c . makes that, of an array jq -c '.[]'"
    inner = [name for name, value in fields.items() if isinstance(value, dict)]
    if not inner:
        return f"is it of another format? --format takes one of {KNOWN}"
    takes = f" jq -c .{inner[-1]} takes it out" if PLAIN.fullmatch(inner[-1]) else ""
    return (
        f"fields are looked for at the top of a line, where there are {shown(', '.join(fields))}: "
        f"does the event stand within {shown(inner[-1])}?{takes}"
    )


def _reads(name: str, head: list[Line]) -> bool:
    read: Format = FORMATS[name]
    try:
        return any(isinstance(one, Item) for one in read(head))
    except OtherFormatError:
        return False
