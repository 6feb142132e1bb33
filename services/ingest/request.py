"""One request as ingest needs it: method, headers by name, credentials, and the body as it came."""

import asyncio
import base64
import binascii
from collections.abc import Mapping

from services.common.hosts import Receive
from services.ingest.answers import Header, RefusalError
from services.ingest.budget import Lease
from services.ingest.inflate import too_large
from services.ingest.patience import Patience

CLOSE: Header = (b"connection", b"close")
CHALLENGE: Header = (b"www-authenticate", b'Bearer realm="waymark"')
JSON = b"application/json"
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


def check_media_type(header: bytes) -> None:
    """Raise the 415 refusal for a Content-Type whose body cannot be JSON in UTF-8."""
    if header == JSON:
        return
    kind, _, parameters = header.decode("latin-1").partition(";")
    if kind.strip().lower() not in MEDIA_TYPES:
        raise RefusalError(
            "unsupported_media_type",
            f"Content-Type {kind.strip()[:60]!r}: send application/json or application/x-ndjson",
        )
    name, _, value = parameters.partition("=")
    if name.strip().lower() == "charset" and value.strip(' "').lower() not in CHARSETS:
        raise RefusalError("unsupported_media_type", f"charset {value.strip()[:40]!r}: send UTF-8")


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    lease: Lease,
    limit: int,
    patience: Patience,
) -> bytes:
    """Return the body as sent, holding its bytes on the lease before they are kept.

    Refuses one of more than ``limit`` bytes (413) or beyond the patience (408). Raises
    ``GoneError``.
    """
    declared = headers.get(b"content-length", b"")
    size = int(declared) if declared.isdigit() else 0
    if size <= limit:
        lease.hold(size)
    wait = patience.begin()
    try:
        if size > limit:
            await _drain(receive)
            raise _closing(too_large(limit))
        return await _read(receive, lease, limit)
    except asyncio.CancelledError:
        if not patience.end(wait):  # another cancels: the server stops
            raise
        message = f"the body was not complete after {patience.seconds:g} s"
        raise RefusalError("timeout", message, (CLOSE,)) from None
    finally:
        patience.end(wait)


async def _read(receive: Receive, lease: Lease, limit: int) -> bytes:
    part, more = await _part(receive)
    if not more and len(part) <= min(limit, lease.held):
        return part
    parts, size = [part], len(part)
    while True:
        if size > limit:
            raise _closing(too_large(limit))
        if size > lease.held:
            lease.hold(size)
        if not more:
            return b"".join(parts)
        part, more = await _part(receive)
        size += len(part)
        parts.append(part)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


async def _drain(receive: Receive) -> None:
    """Throw away what still comes, so that a client that only writes gets to read its answer."""
    left, more = DRAIN_BYTES, True
    while more and left > 0:
        part, more = await _part(receive)
        left -= len(part)


def _closing(refused: RefusalError) -> RefusalError:
    refused.headers = (*refused.headers, CLOSE)
    return refused
