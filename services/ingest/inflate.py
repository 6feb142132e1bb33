"""Content-Encoding: gzip and zstd, never more than a limit of what comes out.

A decompressor is never asked for more than the room that is left, so a bomb costs no more memory
than an honest body. Concatenated members are one body, as gzip and zstd define them; a body cut
off inside a member is refused, for what is missing cannot be known.
"""

import sys
import zlib
from typing import Literal, Protocol

from services.ingest.answers import RefusalError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Encoding = Literal["", "gzip", "zstd"]

GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAGIC = frozenset({GZIP_MAGIC[:1], ZSTD_MAGIC[:1]})
"""First bytes of what may be compressed; no JSON begins with one."""
MAX_MEMBERS = 1_000
"""More members than this in half a megabyte are an attack on the processor, not a client."""
WINDOW_LOG = 23
"""A zstd frame may ask for a window of up to 8 MiB, which is what RFC 9659 allows over HTTP."""

NAMES: dict[bytes, Encoding] = {
    b"": "",
    b"identity": "",
    b"gzip": "gzip",
    b"x-gzip": "gzip",
    b"zstd": "zstd",
}


class _Member(Protocol):
    """One gzip member or zstd frame being read."""

    def feed(self, data: bytes, room: int) -> bytes:
        """Return at most ``room`` bytes of output; afterwards ask the rest."""
        ...

    def ended(self) -> bool:
        """Tell whether the member is whole."""
        ...

    def rest(self) -> bytes:
        """Return input that was not used."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes, room: int) -> bytes:
        return self._stream.decompress(data, room)

    def ended(self) -> bool:
        return self._stream.eof

    def rest(self) -> bytes:
        return self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(options=options)

    def feed(self, data: bytes, room: int) -> bytes:
        return self._stream.decompress(data, room)

    def ended(self) -> bool:
        return self._stream.eof

    def rest(self) -> bytes:
        return self._stream.unused_data if self._stream.eof else b""


def named_encoding(header: bytes) -> Encoding:
    """Return the encoding a header names; raises the 415 refusal for others."""
    found = NAMES.get(header)
    if found is None:
        found = NAMES.get(header.strip().lower())
    if found is None:
        named = header[:40].decode("latin-1")
        raise RefusalError(
            "unsupported_media_type", f"Content-Encoding {named!r}: gzip or zstd, or none"
        )
    return found


def inflate(body: bytes, encoding: Encoding, limit: int) -> bytes:
    """Return the body as it was before compression, at most ``limit`` bytes of it.

    A body that names no encoding but begins as gzip or zstd does is taken as such. Raises
    refusals: ``too_large`` beyond the limit, ``invalid_body`` where it cannot be read whole.
    """
    kind = encoding or _sniff(body)
    if not kind:
        return body
    make = _Gzip if kind == "gzip" else _Zstd
    parts: list[bytes] = []
    room = limit
    for _ in range(MAX_MEMBERS):
        out, body = _member(make(), kind, body, room)
        parts.append(out)
        room -= len(out)
        if not body:
            return b"".join(parts)
    raise RefusalError("invalid_body", f"the {kind} body has more than {MAX_MEMBERS} members")


def _sniff(body: bytes) -> Encoding:
    if body.startswith(GZIP_MAGIC):
        return "gzip"
    return "zstd" if body.startswith(ZSTD_MAGIC) else ""


def _member(member: _Member, kind: str, body: bytes, room: int) -> tuple[bytes, bytes]:
    """Return what one member holds and the input after it."""
    try:
        out = member.feed(body, room + 1)
    except (zlib.error, zstd.ZstdError) as error:
        raise RefusalError("invalid_body", f"the body is not valid {kind}") from error
    if len(out) > room:
        raise too_large()
    if not member.ended():
        raise RefusalError("invalid_body", f"the {kind} body is cut off")
    return out, member.rest()


def too_large(limit: int = 0) -> RefusalError:
    """Return the refusal of a body beyond the limit."""
    named = f"; at most {limit} bytes" if limit else ""
    return RefusalError("too_large", f"the body is too large{named} after decompression")
