"""The Host header on loopback: a guard against DNS rebinding.

A page of another site can make a browser resolve its own name to 127.0.0.1 and then read what
listens there. While we listen on loopback, only loopback's own names and those the settings name
are answered.
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HEADER = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[^\s:@/\[\]]+))(?::\d*)?")
MANY = 64
"""Ways to write our names and ports that are remembered; more of them are judged each time."""
BODY = b'{"code":"invalid_host","message":"this Host is not served here; set WAYMARK_HOSTS"}'
REFUSAL: list[Message] = [
    {
        "type": "http.response.start",
        "status": 400,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(BODY)).encode()),
        ],
    },
    {"type": "http.response.body", "body": BODY},
]


def guard_hosts(app: App, listens_on: str, served: Iterable[str] = ()) -> App:
    """Return the app behind the check where it listens on loopback, else the app itself.

    ``served`` are further host names, without port. A refused request gets 400 ``invalid_host``.
    """
    if not is_loopback(listens_on):
        return app
    return HostCheck(app, LOOPBACK_NAMES.union(name.lower().strip("[]") for name in served))


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on can only be reached from this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(header: str) -> str:
    """Return a Host header's name: lower case, without port, brackets and the root's dot.

    Empty for what is no ``name`` or ``name:port`` (RFC 9110, 7.2), such as one with userinfo.
    """
    found = HEADER.fullmatch(header)
    return (found["literal"] or found["name"]).rstrip(".").lower() if found else ""


class HostCheck:
    """Refuses requests and sockets whose Host is not one of ours."""

    def __init__(self, app: App, names: frozenset[str]) -> None:
        """Serve only the names, and any name under ``.localhost``, which never leaves the machine.

        RFC 6761 reserves ``localhost`` and all names under it for loopback.
        """
        self._app = app
        self._names = names
        self._known: set[bytes] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or self._ours(scope["headers"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            for message in REFUSAL:
                await send(message)

    def _ours(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        found = [value for name, value in headers if name == b"host"]
        if len(found) != 1:
            return False
        if found[0] in self._known:
            return True
        name = host_name(found[0].decode("latin-1"))
        ours = name in self._names or name.endswith(".localhost")
        if ours and len(self._known) < MANY:
            self._known.add(found[0])
        return ours
