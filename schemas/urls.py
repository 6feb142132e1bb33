"""URLs: what of an address is kept, and its parts, in any language."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import idna

from schemas.masking import mask

_USERINFO = re.compile(r"^([^/?#]*//)[^/?#@]*@")
_KEPT_ENCODED = re.compile(r"(%(?:2[035Ff]|3[Ff]|5[Cc]|0[0-9A-Fa-f]|1[0-9A-Fa-f]|7[Ff]))")


class Address(NamedTuple):
    """A URL taken apart: as it may be stored, its host in Unicode, its path decoded, its query."""

    url: str
    host: str
    path: str
    query: str


def take_apart(url: str) -> Address:
    """Return a URL's parts; one that cannot be read has only itself, masked.

    Secrets before an ``@`` of the host are dropped, e-mails and card-like numbers masked.
    """
    url = _USERINFO.sub(r"\1", url.strip())
    stored = mask(url)
    try:
        parts = urlsplit(url)
        host = plain_host(parts.hostname or "")
    except ValueError:
        return Address(stored, "", "", "")
    return Address(stored, host, mask(_path(parts)), parts.query)


def _path(parts: SplitResult) -> str:
    """Return the path of a web page, ``/`` at least; other schemes have none."""
    if parts.scheme not in ("", "http", "https"):
        return ""
    if not parts.path.startswith("/"):
        return "/" if parts.netloc or not parts.path else decoded(parts.path)
    return decoded(parts.path)


def decoded(path: str) -> str:
    """Return a path with its percent-encoded text decoded, where it is UTF-8.

    What would change the path's parts or is not to be seen stays encoded: ``%2F %3F %23 %25``,
    blanks and control characters.
    """
    if "%" not in path:
        return path
    pieces = _KEPT_ENCODED.split(path)
    try:
        pieces[::2] = [unquote_to_bytes(piece).decode() for piece in pieces[::2]]
    except UnicodeDecodeError:
        return path
    return "".join(pieces)


def plain_host(host: str) -> str:
    """Return a host in lower case, without ``www.``, port and final dot, and in Unicode."""
    host = host.strip().lower()
    if host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.rstrip(".").removeprefix("www.")
    if "xn--" not in host:
        return host
    try:
        return idna.decode(host)
    except idna.IDNAError:
        return host


def is_within(host: str, parents: frozenset[str]) -> bool:
    """Tell whether a host is one of the given or below one of them."""
    while host:
        if host in parents:
            return True
        host = host.partition(".")[2]
    return False
