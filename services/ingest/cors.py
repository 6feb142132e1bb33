"""Cross-origin requests: which pages may send with a browser key, and what they may read.

A preflight carries no key, so it is allowed when some browser key accepts the origin; the request
itself must then come with a key that does. Answers to origins no key names have no CORS headers.
"""

from collections.abc import Mapping

from services.common.catalog import Catalog
from services.common.catalog_rows import Grant
from services.ingest.answers import Answer, Header
from services.ingest.request import unauthorized

MAX_AGE = b"7200"
VARY: Header = (b"vary", b"Origin")
DEFAULT_HEADERS = b"authorization, content-type, content-encoding, x-write-key"


def preflight(headers: Mapping[bytes, bytes], catalog: Catalog) -> Answer:
    """Answer an OPTIONS request; without an allowed origin it only names the methods."""
    origin = headers.get(b"origin", b"")
    allow: tuple[Header, ...] = ((b"allow", b"POST, OPTIONS"), VARY)
    if origin and catalog.allows_origin(origin.decode("latin-1")):
        wanted = headers.get(b"access-control-request-headers", b"") or DEFAULT_HEADERS
        allow = (
            *allow,
            *_readable(origin),
            (b"access-control-allow-methods", b"POST, OPTIONS"),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", MAX_AGE),
        )
    return Answer(204, b"", "", allow)


def check_origin(headers: Mapping[bytes, bytes], grant: Grant) -> None:
    """Raise the 401 refusal where a page of another origin uses a browser key.

    A request without an origin comes from no page; an origin there could be forged anyway.
    """
    origin = headers.get(b"origin")
    if origin is not None and grant.key.kind == "browser" and not _accepts(grant, origin):
        raise unauthorized(f"this browser key does not accept the origin {_text(origin)!r}")


def exposed(headers: Mapping[bytes, bytes], catalog: Catalog) -> tuple[Header, ...]:
    """Return the headers that let a page of an allowed origin read the answer."""
    origin = headers.get(b"origin")
    if origin is None or not catalog.allows_origin(_text(origin)):
        return ()
    return (VARY, *_readable(origin))


def _accepts(grant: Grant, origin: bytes) -> bool:
    return "*" in grant.key.origins or _text(origin).lower() in grant.key.origins


def _readable(origin: bytes) -> tuple[Header, ...]:
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"retry-after"),
    )


def _text(origin: bytes) -> str:
    return origin.decode("latin-1")[:200]
