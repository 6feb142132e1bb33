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

GZIP = ".gz"
WHATEVER_READS = (OSError, EOFError, zlib.error, zstd.ZstdError)
"""What reading raises; compression has errors of its own."""

MAX_LINE = 16 * 1024 * 1024
"""Longest line in bytes that is read: a whole visitor history may stand in one."""


class CutError(InvalidError):
    """A file cannot be read any further; the lines before ``line`` are whole."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        """Name file, line and reason."""
        super().__init__(f"file {path}, line {line}: {why}")
        self.line, self.why = line, why


def read_lines(path: Path, seen: Callable[[int], None] | None = None) -> Iterator[Line]:
    """Yield a file's lines with their numbers from 1, without line ends or a byte order mark.

    ``seen`` is told the file's own bytes read so far, for a progress bar. Raises ``InvalidError``
    naming the file where it cannot be opened or is not compressed as its name says, ``CutError``
    where it ends inside its compression, or a line is too long. What ``seen`` raises is its own.
    """
    for number, line, raw in _read(path):
        if len(line) > MAX_LINE:
            raise CutError(path, number, f"longer than {MAX_LINE} bytes")
        if seen is not None and number % 1000 == 0:
            seen(raw.tell())
        yield number, _bare(line, first=number == 1)


def _read(path: Path) -> Iterator[tuple[int, bytes, IO[bytes]]]:
    """Yield number, line and the open file; only what opens and reads may call it damaged."""
    number = 0
    try:
        with path.open("rb") as raw, _opened(path, raw) as text:
            for number, line in enumerate(iter(lambda: text.readline(MAX_LINE + 1), b""), 1):
                yield number, line, raw
    except WHATEVER_READS as error:
        raise _unreadable(path, number, error) from error


def _unreadable(path: Path, number: int, error: Exception) -> InvalidError:
    """Say what is wrong with a file that cannot be read after a line."""
    if isinstance(error, EOFError):
        return CutError(path, number + 1, "the file ends inside its compression: it is cut short")
    if number:
        return CutError(path, number + 1, f"the file is damaged: {error}")
    if isinstance(error, gzip.BadGzipFile | zstd.ZstdError):
        kind = "gzip" if path.suffix == GZIP else "zstd"
        return InvalidError(
            f"file {path} is no {kind} file: rename it without {path.suffix}, or compress it"
        )
    return InvalidError(f"file {path} cannot be read: {getattr(error, 'strerror', None) or error}")


def _opened(path: Path, raw: IO[bytes]) -> io.BufferedIOBase:
    if path.suffix == GZIP:
        return gzip.GzipFile(fileobj=raw)
    if path.suffix in {".zst", ".zstd"}:
        return io.BufferedReader(zstd.ZstdFile(raw))
    return io.BufferedReader(io.FileIO(raw.fileno(), closefd=False))


def _bare(line: bytes, *, first: bool) -> bytes:
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    return line.removeprefix(b"\xef\xbb\xbf") if first else line
