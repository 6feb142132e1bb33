"""Who calls: the client's address behind trusted proxies, and its country where a proxy tells.

Anyone can write ``X-Forwarded-For``. An address in it is believed only as far as it was written by
a proxy we trust: read from the right, the first that is no trusted proxy is the client.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from msgspec import Struct

from services.common.hosts import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Caller(Struct, frozen=True):
    """The client's address, country code and user agent as texts, each empty where unknown."""

    ip: str
    country: str = ""
    ua: str = ""


NOBODY = Caller("")


class Callers:
    """Finds the caller of a request, believing forwarded headers of the given networks alone."""

    def __init__(self, trusted: Iterable[str] = (), country_header: str = "") -> None:
        """Take networks in CIDR form and the name of the header with the country code."""
        self._trusted: tuple[Network, ...] = tuple(
            ipaddress.ip_network(text, strict=False) for text in trusted
        )
        self._country = country_header.lower().encode("latin-1")

    def of(self, scope: Scope) -> Caller:
        """Return who sent the request."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        ua = _header(headers, b"user-agent")
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._trusted or not self._is_proxy(_address(peer)):
            return Caller(peer, "", ua)
        hops = [value for name, value in headers if name == b"x-forwarded-for"]
        forwarded = b",".join(hops).decode("latin-1").split(",")
        return Caller(self._client(forwarded, peer), self._country_of(headers), ua)

    def _client(self, forwarded: Sequence[str], peer: str) -> str:
        client = peer
        for text in reversed(forwarded):
            address = _address(text)
            if address is None:
                break
            client = str(address)
            if not self._is_proxy(address):
                break
        return client

    def _is_proxy(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)

    def _country_of(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        code = _header(headers, self._country).strip().upper()
        return code if len(code) == 2 and code.isalpha() and code.isascii() else ""  # noqa: PLR2004


def _header(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == wanted), "")


def _address(text: str) -> Address | None:
    """Return the address in a text such as ``1.2.3.4``, ``1.2.3.4:56``, ``[::1]:56``."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
