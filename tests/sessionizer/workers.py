"""Workers as processes of their own, which can be stopped, continued and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.kafka.broker import free_ports
from services.common.settings import Settings

ROOT = Path(__file__).parents[2]
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


class Worker:
    """One worker; its output is kept for the message of a failing test."""

    def __init__(self, settings: Settings, folder: Path, name: str, **more: Any) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / f"{name}.txt"
        given = settings.model_dump(exclude_unset=True) | {
            "data": folder / name,
            "port": self.port,
            "log_level": "info",
            "log_format": "json",
            **more,
        }
        self._environ = {
            key: value for key, value in os.environ.items() if not key.startswith("WAYMARK_")
        } | {f"WAYMARK_{key.upper()}": str(value) for key, value in given.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.sessionizer.run"],
                cwd=ROOT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_ready(self) -> None:
        self.eventually(lambda: self.status("/readyz") == 200, "ready")

    def status(self, path: str) -> int:
        try:
            return httpx.get(self.url + path, timeout=5).status_code
        except httpx.TransportError:
            return 0

    def metric(self, name: str) -> dict[str, float]:
        """Return a metric's values by partition."""
        lines = httpx.get(self.url + "/metrics", timeout=5).text.splitlines()
        found = [line for line in lines if line.startswith(name + "{")]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in found}

    def partitions(self) -> set[int]:
        """Return the partitions it owns."""
        try:
            answer = httpx.get(self.url + "/v1/live/counts", params={"source": "shop"}, timeout=5)
            return {row["partition"] for row in answer.json()} if answer.is_success else set()
        except httpx.TransportError:
            return set()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self) -> int:
        assert self._process is not None
        try:
            return self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"does not end:\n{self.text()[-4000:]}") from None

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def eventually(self, what: Callable[[], Any], name: str) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := what()):
            assert time.monotonic() < until, f"not {name}:\n{self.text()[-6000:]}"
            time.sleep(0.1)
        return found


class Crew:
    """The workers of one test."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.workers: list[Worker] = []
        self._policy = folder / "policy.toml"
        self._policy.write_text(POLICY)

    def hire(self, **more: Any) -> Worker:
        """Start one more worker without waiting for it."""
        name = f"worker-{len(self.workers)}"
        worker = Worker(self.settings, self.folder, name, policy=self._policy, **more)
        self.workers.append(worker)
        worker.start()
        return worker


@contextmanager
def crew(settings: Settings, folder: Path) -> Iterator[Crew]:
    some = Crew(settings, folder)
    try:
        yield some
    finally:
        for worker in some.workers:
            worker.close()
