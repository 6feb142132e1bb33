"""One request as ingest needs it: method, headers by name, credentials, and the body as it came."""

import asyncio
import base64
import binascii
from collections.abc import Mapping

from services.common.hosts import Receive
from services.ingest.answers import Header, RefusalError
from services.ingest.budget import Lease
from services.ingest.inflate import too_large

CLOSE: Header = (b"connection", b"close")
CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="waymark"')
MEDIA_TYPES = frozenset(
    {
        "",
        "application/json",
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/jsonlines",
        "text/plain",
    }
)
"""``text/plain`` is what a browser sends without a preflight; none at all is judged by content."""
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
DRAIN_BYTES = 4 * 1024 * 1024
"""Of a body that is too large, this much is read and thrown away, so that the answer arrives."""


class GoneError(Exception):
    """The client went away before its body was complete; there is nobody to answer."""


def secret_of(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the write key a request carries; raises the 401 refusal where it carries none.

    ``Authorization: Bearer KEY``, ``Basic`` with the key as user name, or ``X-Write-Key``.
    """
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    kind = scheme.lower()
    if kind == b"bearer" and rest.strip():
        return rest.strip()
    if kind == b"basic":
        return _basic_user(rest)
    key = headers.get(b"x-write-key", b"").strip()
    if not key:
        raise unauthorized("no write key; send Authorization: Bearer KEY or X-Write-Key: KEY")
    return key


def _basic_user(rest: bytes) -> bytes:
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[0]
    except binascii.Error:
        raise unauthorized("Authorization: Basic is not base64 of KEY:") from None


def unauthorized(message: str) -> RefusalError:
    """Return the 401 refusal."""
    return RefusalError("unauthorized", message, (CHALLENGE,))


def check_media_type(header: str) -> None:
    """Raise the 415 refusal for a Content-Type whose body cannot be JSON in UTF-8."""
    kind, _, parameters = header.partition(";")
    if kind.strip().lower() not in MEDIA_TYPES:
        raise RefusalError(
            "unsupported_media_type",
            f"Content-Type {kind.strip()[:60]!r}: send application/json or application/x-ndjson",
        )
    name, _, value = parameters.partition("=")
    if name.strip().lower() == "charset" and value.strip(' "').lower() not in CHARSETS:
        raise RefusalError("unsupported_media_type", f"charset {value.strip()[:40]!r}: send UTF-8")


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], lease: Lease, limit: int, patience_s: float
) -> bytes:
    """Return the body as sent, holding its bytes on the lease before they are kept.

    Stops at ``limit`` bytes (413) and after ``patience_s`` seconds (408). Raises ``GoneError``.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit():
        if int(declared) > limit:
            await _drain(receive, patience_s)
            raise _closing(too_large(limit))
        lease.hold(int(declared))
    try:
        async with asyncio.timeout(patience_s):
            return await _read(receive, lease, limit)
    except TimeoutError:
        raise RefusalError(
            "timeout", f"the body was not complete after {patience_s:g} s", (CLOSE,)
        ) from None


async def _read(receive: Receive, lease: Lease, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        part, more = await _part(receive)
        size += len(part)
        if size > limit:
            raise _closing(too_large(limit))
        if size > lease.held:
            lease.hold(size)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


async def _drain(receive: Receive, patience_s: float) -> None:
    """Throw away what still comes, so that a client that only writes gets to read its answer."""
    left, more = DRAIN_BYTES, True
    try:
        async with asyncio.timeout(patience_s):
            while more and left > 0:
                part, more = await _part(receive)
                left -= len(part)
    except TimeoutError:
        return


def _closing(refused: RefusalError) -> RefusalError:
    refused.headers = (*refused.headers, CLOSE)
    return refused
