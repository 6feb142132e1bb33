"""What every format yields: an item in the ingest API's input form, or a rejected line."""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from services.common.errors import InvalidError

Line = tuple[int, bytes]
"""A line's number in its file, from 1, and its bytes without the line end."""


class Item(Struct, frozen=True, gc=False):
    """One event in input form, and the line it stood in (several may share a line)."""

    line: int
    item: dict[str, object]


class BadLine(Struct, frozen=True, gc=False):
    """A line, or an event of it, that cannot be read: the field at fault and what is wrong."""

    line: int
    field: str
    message: str
    original: bytes


class OtherFormatError(InvalidError):
    """The file's beginning shows that no line of it can be read; nothing was."""


Read = Iterator[Item | BadLine]
Format = Callable[[Iterable[Line]], Read]
