"""Ports that somebody else has: told before anything is started, with the option that moves them.

Later it would look like success: whoever has the port answers in the place of our own part.
"""

import errno
import socket
from collections.abc import Iterator

from deploy.distributed.child import EndedError
from deploy.distributed.parts import Ports

AGAIN = 'make run-distributed ARGS="{option} {port}"'
OPEN = range(1024, 65_000)
"""Ports that need no privilege and have others above them."""


def refuse_taken(ports: Ports, kafka_port: int) -> None:
    """Raise ``EndedError`` naming the first port nobody can have; 0 is none that is wanted."""
    for option, example, name, port in _wanted(ports, kafka_port):
        why = port and _why_not(port)
        if why:
            again = AGAIN.format(option=option, port=example)
            raise EndedError(
                f"port {port} of 127.0.0.1, wanted by {name}, {why}take other ports with {option}: "
                f"{again}"
            )


def _why_not(port: int) -> str:
    """Say why a port cannot be had, and what else to do; nothing where it can."""
    try:
        if is_free(port):
            return ""
    except OSError as error:
        return f"cannot be used: {error.strerror}; "
    return "is taken: end what listens there (is Waymark running already?), or "


def _wanted(ports: Ports, kafka_port: int) -> Iterator[tuple[str, int, str, int]]:
    """Yield option, a value to try instead, who wants it, and the port."""
    first = ports.ingest
    for name, port in ports._asdict().items():
        for one in port if isinstance(port, tuple) else (port,):
            yield "--first-port", _another(first, 8300), name.replace("_", "-"), one
    for port in (kafka_port, kafka_port and kafka_port + 1):
        yield "--kafka-port", _another(kafka_port, 9292), "kafka", port


def _another(port: int, usual: int) -> int:
    """Return a port some way above, or the usual one where that may be refused just so."""
    return port + 220 if port in OPEN else usual


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a port of loopback; ``OSError`` where nobody can tell."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the parts do themselves
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True
