"""Ports that somebody else has: told before anything is started, with the option that moves them.

Later it would look like success: whoever has the port answers in the place of our own part.
"""

import socket
from collections.abc import Iterator

from deploy.distributed.child import EndedError
from deploy.distributed.parts import Ports

AGAIN = 'make run-distributed ARGS="{option} {port}"'


def refuse_taken(ports: Ports, kafka_port: int) -> None:
    """Raise ``EndedError`` naming the first port that is taken; 0 is none that is wanted."""
    for option, example, name, port in _wanted(ports, kafka_port):
        if port and not is_free(port):
            again = AGAIN.format(option=option, port=example)
            raise EndedError(
                f"port {port} of 127.0.0.1, wanted by {name}, is taken: end what listens there (is "
                f"Waymark running already?), or take other ports with {option}: {again}"
            )


def _wanted(ports: Ports, kafka_port: int) -> Iterator[tuple[str, int, str, int]]:
    """Yield option, a value to try instead, who wants it, and the port."""
    first = ports.ingest
    for name, port in ports._asdict().items():
        for one in port if isinstance(port, tuple) else (port,):
            yield "--first-port", first + 220, name.replace("_", "-"), one
    for port in (kafka_port, kafka_port and kafka_port + 1):
        yield "--kafka-port", kafka_port + 200, "kafka", port


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the parts do themselves
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
