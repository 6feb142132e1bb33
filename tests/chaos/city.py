"""Every part of an installation as its own process, and who starts again what ends by itself."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.kafka.broker import Broker, free_ports, make_nodes
from tests.chaos.clock import HostClock, host_clock
from tests.chaos.contents import POLICY, SOURCE
from tests.chaos.part import FATAL, LATER, Command, Node, Part, storage
from tests.support.commands import Commands
from tests.support.kafka import HEAP, require_kafka, settings_for

KEY = "wk_chaos"
PARTITIONS = 6
LOOK_SECONDS = 0.3
PROBE_SECONDS = 10.0
HEAP_OF_THREE = "384m"
QUICK = {
    "broker_session_timeout_ms": "4000",
    "broker_heartbeat_interval_ms": "500",
    "replica_lag_time_max_ms": "4000",
}
"""A dead broker of three is noticed in time for the next blow."""


class City:
    """One installation in a folder: brokers, storage, ingest, loader and workers.

    ``clock`` is that of the ingest host, None where this machine cannot set one process's alone.
    ``restarts`` says which part ended by itself, with which status, and was started again.
    """

    def __init__(
        self,
        folder: Path,
        commands: Commands,
        edge: Commands,
        clock: HostClock | None,
        brokers: int,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self._commands = commands
        more: dict[str, Any] = QUICK if brokers > 1 else {}
        heap = HEAP_OF_THREE if brokers > 1 else HEAP
        nodes = make_nodes(folder / "kafka", brokers)
        self.brokers = [Node(Broker(node, nodes, heap=heap, **more)) for node in nodes]
        storage_port, *self._ports = free_ports(8)
        self.storage = storage(folder, storage_port)
        policy = folder / "policy.toml"
        policy.write_text(POLICY)
        copies = {"kafka_replication": 3, "kafka_min_insync": 2} if brokers > 1 else {}
        self.settings = settings_for(
            ",".join(node.url for node in self.brokers),
            kafka_partitions=PARTITIONS,
            clickhouse=f"http://127.0.0.1:{storage_port}/chaos",
            policy=policy,
            write_keys=f"{SOURCE}={KEY}",
            **copies,
        )
        self.ingest = self._command("ingest", "ingest", edge)
        self.loader = self._command("loader", "loader")
        self.metrics_api = self._command("metrics-api", "metrics-api")
        self.workers: list[Command] = []
        self.restarts: list[tuple[str, int]] = []

    def environ(self, name: str, port: int) -> dict[str, str]:
        """Return the environment of a part."""
        given = self.settings.model_dump(exclude_unset=True) | {
            "data": self.folder / name,
            "write_keys": f"{SOURCE}={KEY}",
            "host": "127.0.0.1",
            "port": port,
            "log_format": "json",
        }
        return {f"WAYMARK_{key.upper()}": str(value) for key, value in given.items()}

    def _command(self, name: str, command: str, host: Commands | None = None) -> Command:
        port = self._ports.pop()
        return Command(host or self._commands, name, command, port, self.environ(name, port))

    # -- life

    def start(self, workers: int) -> None:
        """Start all and wait until everyone is ready."""
        for node in self.brokers:
            node.start()
        self.storage.start()
        for node in self.brokers:
            node.wait_ready()
        self.loader.start()
        self.ingest.start()
        for _ in range(workers):
            self.hire()
        self.wait_ready()

    def hire(self) -> Command:
        """Start one more worker without waiting for it."""
        name = f"worker-{len(self.workers)}"
        self.workers.append(worker := self._command(name, "sessionizer"))
        worker.start()
        return worker

    def wait_ready(self) -> None:
        for part in self.parts():
            if part.wanted and part is not self.storage:
                part.wait_ready()

    def parts(self) -> Iterator[Part]:
        yield from self.brokers
        yield self.storage
        yield self.ingest
        yield self.loader
        yield from self.workers

    def words(self) -> str:
        """Return how every part is and what it said last."""
        told = [f"ended by themselves: {self.restarts}"]
        for part in self.parts():
            told += [f"--- {part.name}, ends {part.ends}: {part.health()}", part.words()]
        return "\n".join(told)

    def end(self) -> None:
        """Kill what still runs, brokers last."""
        for part in [*self.parts(), self.metrics_api][::-1]:
            part.kill()

    # -- what an orchestrator does

    async def tend(self) -> None:
        """Start again what ends by itself or is sick; fail where nobody foresaw such an end."""
        asked = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for part in self.parts():
                if (status := part.look()) is not None:
                    self._note(part, status)
                    part.launch()
            if time.monotonic() - asked > PROBE_SECONDS:
                asked = time.monotonic()
                await self._probe()

    async def _probe(self) -> None:
        """Kill what says of itself that it is as good as dead, as a liveness probe does."""
        for part in list(self.workers):
            why = await asyncio.to_thread(part.sick)
            if why and part.wanted and not part.frozen:
                sys.stdout.write(f"{part.name} is sick: {why}\n")
                self.restarts.append((part.name, httpx.codes.SERVICE_UNAVAILABLE))
                part.kill()  # without waiting in between: nobody else may start it too
                part.start()

    def _note(self, part: Part, status: int) -> None:
        part.ends.append(status)
        self.restarts.append((part.name, status))
        foreseen = isinstance(part, Command) and status in {FATAL, LATER}
        assert foreseen, f"{part.name} ended with {status}:\n{part.words()}"


@contextmanager
def city(folder: Path, brokers: int = 1) -> Iterator[City]:
    require_kafka()
    clock = host_clock(folder)
    for name in ("outputs", "edge"):
        (folder / name).mkdir()
    with (
        closing(Commands(folder / "outputs")) as commands,
        closing(Commands(folder / "edge", **(clock.environ if clock else {}))) as edge,
    ):
        made = City(folder, commands, edge, clock, brokers)
        try:
            yield made
        finally:
            made.end()


@asynccontextmanager
async def tended(made: City) -> AsyncIterator[None]:
    """Have ended parts started again during a block."""
    task = asyncio.create_task(made.tend())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()  # what it found is why all else went wrong
