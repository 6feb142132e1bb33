"""Reads the lines of a file, plain, gzip or zstd by its extension, without holding it all."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from services.common.errors import InvalidError
from services.formats.items import Line

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_LINE = 16 * 1024 * 1024
"""Longest line in bytes that is read: a whole visitor history may stand in one."""


def read_lines(path: Path, seen: Callable[[int], None] | None = None) -> Iterator[Line]:
    """Yield a file's lines with their numbers from 1, without line ends or a byte order mark.

    ``seen`` is told the file's own bytes read so far, for a progress bar. Raises ``InvalidError``
    naming file and line where it cannot be opened, is cut inside its compression, or a line is too
    long.
    """
    number = 0
    try:
        with path.open("rb") as raw, _opened(path, raw) as text:
            for number, line in enumerate(iter(lambda: text.readline(MAX_LINE + 1), b""), 1):
                _check_length(path, number, line)
                if seen is not None and number % 1000 == 0:
                    seen(raw.tell())
                yield number, _bare(line, first=number == 1)
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        raise InvalidError(f"file {path}, after line {number}: {error}") from error


def _opened(path: Path, raw: IO[bytes]) -> io.BufferedIOBase:
    if path.suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    if path.suffix in {".zst", ".zstd"}:
        return io.BufferedReader(zstd.ZstdFile(raw))
    return io.BufferedReader(io.FileIO(raw.fileno(), closefd=False))


def _check_length(path: Path, number: int, line: bytes) -> None:
    if len(line) > MAX_LINE:
        raise InvalidError(f"file {path}, line {number}: longer than {MAX_LINE} bytes")


def _bare(line: bytes, *, first: bool) -> bytes:
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    return line.removeprefix(b"\xef\xbb\xbf") if first else line
