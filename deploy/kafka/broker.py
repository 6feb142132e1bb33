"""One node as a process of this machine: formatted once, started, awaited, stopped or killed."""

import base64
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.kafka.libs import HERE, libraries
from deploy.kafka.properties import Listener, Node, server_properties

START_SECONDS = 120.0
STOP_SECONDS = 60.0
CLUSTER_ID = base64.urlsafe_b64encode(uuid.UUID(int=0x5741594D41524B).bytes)[:22].decode()
"""Nodes that belong together must agree on it; ours are never joined with anyone else's."""


class Broker:
    """A node. ``start`` returns once it answers; what it says is in ``output``."""

    def __init__(
        self,
        node: Node,
        nodes: Sequence[Node] = (),
        *,
        heap: str = "1g",
        listeners: Sequence[Listener] = (),
        scram: Sequence[str] = (),
        **more: str,
    ) -> None:
        """Describe the node; ``scram`` are users as Kafka's format tool takes them.

        ``nodes`` are all of a cluster, this one among them; ``more`` as in ``server_properties``.
        """
        self.node = node
        self.address = f"127.0.0.1:{node.port}"
        self.output = node.data / "output.txt"
        self._properties = server_properties(node, nodes or (node,), listeners, **more)
        self._scram = tuple(scram)
        self._heap = heap
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process's id; only while it runs."""
        if self._process is None:
            raise RuntimeError(f"node {self.node.number} does not run")
        return self._process.pid

    def status(self) -> int | None:
        """Return the exit status where it ended by itself, None while it runs or is not started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start and wait until it takes connections."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Format the data folder where it is new, and start without waiting."""
        self.node.data.mkdir(parents=True, exist_ok=True)
        file = self.node.data / "server.properties"
        file.write_text(self._properties, encoding="utf-8")
        if not (self.node.data / "log" / "meta.properties").exists():
            self._format(file)
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(file)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours to answer, in order
            )

    def wait_ready(self) -> None:
        """Wait until the node takes connections; raises ``RuntimeError`` where it ends instead."""
        until = time.monotonic() + START_SECONDS
        while not _answers(self.node.port):
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"node {self.node.number} ended:\n{self.last_words()}")
            if time.monotonic() > until:
                raise RuntimeError(f"node {self.node.number} is not up:\n{self.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in good order; kill it where that takes too long."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a failing machine would."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP."""
        if self._process is not None:
            self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _format(self, file: Path) -> None:
        users = [part for user in self._scram for part in ("--add-scram", user)]
        command = ["format", "-t", CLUSTER_ID, "-c", str(file), *users]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *command),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"node {self.node.number}: {done.stdout}{done.stderr}")

    def _java(self, *command: str) -> list[str]:
        options = [f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4"]
        logs = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return ["java", *options, logs, "-cp", f"{libraries()}/*", *command]

    def last_words(self) -> str:
        """Return the end of what it printed."""
        return self.output.read_text(errors="replace")[-3000:] if self.output.exists() else ""


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nothing uses now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def make_nodes(folder: Path, count: int, port: int | None = None) -> list[Node]:
    """Return the nodes of a cluster: ports in a row from ``port``, or free ones."""
    ports = free_ports(2 * count) if port is None else list(range(port, port + 2 * count))
    return [
        Node(n + 1, ports[n], ports[count + n], (folder / f"node-{n + 1}").resolve())
        for n in range(count)
    ]


@contextmanager
def cluster(brokers: Sequence[Broker]) -> Iterator[Sequence[Broker]]:
    """Run nodes for a block; whatever happens, none is left behind."""
    try:
        for broker in brokers:
            broker.launch()
        for broker in brokers:
            broker.wait_ready()
        yield brokers
    finally:
        for broker in brokers:
            broker.stop()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
