"""Workers as processes of their own, which can be stopped, continued and killed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from services.common.settings import Settings
from tests.support.commands import Commands
from tests.support.process import Part

PATIENCE_SECONDS = 90.0
FENCED = 70

POLICY = """
[session]
gap_ms = 3_000
[cart]
idle_ms = 3_000
checkout_idle_ms = 2_000
[time]
grace_ms = 1_000
stall_ms = 20_000
hold_min_ms = 1_000
hold_max_ms = 2_000
lag_hold_max_ms = 3_000
emit_every_ms = 2_000
"""
"""Times short enough that a test sees a shopper declared gone."""


class Worker(Part):
    """One worker and what it says of its partitions."""

    def metric(self, name: str) -> dict[str, float]:
        """Return a metric's values by partition."""
        lines = self.http.get("/metrics").text.splitlines()
        found = [line for line in lines if line.startswith(name + "{")]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}

    def partitions(self) -> set[int]:
        """Return the partitions it owns, none while it starts."""
        try:
            answer = self.http.get("/v1/live/counts", params={"source": "shop"})
        except httpx.TransportError:
            return set()
        return {row["partition"] for row in answer.json()} if answer.is_success else set()

    def eventually(self, what: Callable[[], Any], name: str) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := what()):
            assert time.monotonic() < until, f"not {name}:\n{self.text()}"
            time.sleep(0.1)
        return found


class Crew:
    """The workers of one test."""

    def __init__(self, commands: Commands, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.workers: list[Worker] = []
        self._commands = commands
        self._policy = folder / "policy.toml"
        self._policy.write_text(POLICY)

    def hire(self, **more: Any) -> Worker:
        """Start one more worker without waiting for it."""
        given = self.settings.model_dump(exclude_unset=True) | {
            "data": self.folder / f"worker-{len(self.workers)}",
            "log_level": "info",
            "log_format": "json",
            "policy": self._policy,
            **more,
        }
        environ = {f"WAYMARK_{key.upper()}": value for key, value in given.items()}
        worker = Worker(self._commands, "sessionizer", environ)
        self.workers.append(worker)
        worker.launch()
        return worker


@contextmanager
def crew(commands: Commands, settings: Settings, folder: Path) -> Iterator[Crew]:
    some = Crew(commands, settings, folder)
    try:
        yield some
    finally:
        for worker in some.workers:
            worker.close()
