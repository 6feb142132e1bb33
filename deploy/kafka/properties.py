"""The ``server.properties`` of a node that is broker and controller in one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Node:
    """Where one node listens and keeps its data. Loopback only: there is no login."""

    number: int
    port: int
    controller_port: int
    data: Path


@dataclass(frozen=True)
class Listener:
    """A further way in: its port, protocol (SSL, SASL_SSL …) and settings of its own."""

    name: str
    port: int
    protocol: str
    settings: dict[str, str] = field(default_factory=dict)


def server_properties(
    node: Node, nodes: Sequence[Node], listeners: Sequence[Listener] = (), **more: str
) -> str:
    """Return the file; ``more`` are further settings, with ``_`` for the dots in their names."""
    copies = str(min(3, len(nodes)))
    ways = [("PLAINTEXT", node.port), *((one.name, one.port) for one in listeners)]
    address = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ways)
    protocols = {one.name: one.protocol for one in listeners}
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(
            f"{one.number}@127.0.0.1:{one.controller_port}" for one in nodes
        ),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"{address},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": address,
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}"
            for name, protocol in {
                "PLAINTEXT": "PLAINTEXT",
                "CONTROLLER": "PLAINTEXT",
                **protocols,
            }.items()
        ),
        "log.dirs": str(node.data / "log"),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": str(max(1, int(copies) - 1)),
        "transaction.state.log.num.partitions": "8",
        "group.initial.rebalance.delay.ms": "0",
        "log.segment.delete.delay.ms": "1000",
    }
    for listener in listeners:
        prefix = f"listener.name.{listener.name.lower()}."
        settings |= {prefix + name: value for name, value in listener.settings.items()}
    settings |= {name.replace("_", "."): value for name, value in more.items()}
    return "".join(f"{name}={value}\n" for name, value in settings.items())
