"""One thing that can be killed, stopped, continued and started again, at the same address."""

import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import httpx

from deploy.kafka.broker import Broker
from tests.support.commands import Commands

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 180.0
FATAL, LATER = 70, 3
"""A part's own ends: it must not go on; what it needs does not answer at its start."""


class Part(ABC):
    """``wanted`` while it should run; ``ends`` are the statuses with which it ended by itself."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self.wanted = False
        self.frozen = False
        self.ends: list[int] = []
        self._lock = threading.RLock()  # who kills and who looks after it are two threads

    @abstractmethod
    def launch(self) -> None:
        """Start without waiting."""

    @abstractmethod
    def send(self, number: signal.Signals) -> None: ...

    @abstractmethod
    def status(self) -> int | None:
        """Return the exit status, None while it runs or is not started."""

    @abstractmethod
    def wait(self) -> int: ...

    @abstractmethod
    def words(self) -> str:
        """Return the end of what it printed."""

    def start(self) -> None:
        self.wanted = True
        self.launch()

    def kill(self) -> None:
        with self._lock:
            self.wanted = self.frozen = False
            self.send(signal.SIGKILL)
            self.wait()

    def stop(self) -> int:
        """End it in good order."""
        with self._lock:
            self.wanted = False
            self.send(signal.SIGTERM)
            return self.wait()

    def look(self) -> int | None:
        """Return the status with which it ended by itself and should not have, else None."""
        with self._lock:
            return self.status() if self.wanted else None

    def health(self) -> str:
        """Return what it says of itself now, for people."""
        said: list[str] = []
        for path in ("healthz", "readyz"):
            try:
                said.append(httpx.get(f"{self.url}/{path}", timeout=5).text)
            except httpx.HTTPError as error:
                said.append(repr(error))
        return " ".join(said)

    def sick(self) -> str:
        """Return why it says it should be started again, empty where it does not."""
        try:
            answer = httpx.get(f"{self.url}/healthz", timeout=5)
        except httpx.TransportError:
            return ""
        return "" if answer.status_code == httpx.codes.OK else answer.text

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def wait_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self.ready():
            assert time.monotonic() < until, f"{self.name} is not ready:\n{self.words()}"
            time.sleep(0.1)


class Command(Part):
    """A ``waymark`` command, forked from a process that has imported it."""

    def __init__(
        self, commands: Commands, name: str, command: str, port: int, environ: dict[str, str]
    ) -> None:
        super().__init__(name, f"http://127.0.0.1:{port}")
        self._commands = commands
        self._command = command
        self._environ = environ
        self._pid = 0
        self._outputs: list[Path] = []

    def launch(self) -> None:
        self._pid, output = self._commands.start(self._command, **self._environ)
        self._outputs.append(output)

    def send(self, number: signal.Signals) -> None:
        if self._pid:
            os.kill(self._pid, number)

    def status(self) -> int | None:
        if not self._pid:
            return None
        status = self._commands.poll(self._pid)
        if status is not None:
            self._pid = 0
        return status

    def wait(self) -> int:
        pid, self._pid = self._pid, 0
        return self._commands.wait(pid) if pid else 0

    def words(self) -> str:
        files = (one.with_suffix(end) for one in self._outputs[-3:] for end in (".out", ".err"))
        return "\n".join(file.read_text()[-2_000:] for file in files if file.exists())


class Process(Part):
    """A program of its own, with settings over the environment."""

    def __init__(
        self, name: str, port: int, order: Sequence[str], output: Path, **environ: str
    ) -> None:
        super().__init__(name, f"http://127.0.0.1:{port}")
        self._order = list(order)
        self._output = output
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._order, cwd=ROOT, env=os.environ | self._environ,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def status(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def wait(self) -> int:
        return 0 if self._process is None else self._process.wait(60)

    def words(self) -> str:
        return self._output.read_text(errors="replace")[-3_000:]


def storage(folder: Path, port: int) -> Process:
    """Return ClickHouse's stand-in."""
    order = [sys.executable, "-m", "deploy.clickhouse_local", str(folder / "clickhouse"), str(port)]
    return Process("storage", port, order, folder / "storage.txt")


class Node(Part):
    """A broker. It is ready when it takes connections."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(f"broker-{broker.node.number}", broker.address)
        self._broker = broker
        self._runs = False

    def launch(self) -> None:
        self._broker.launch()
        self._runs = True

    def send(self, number: signal.Signals) -> None:
        if number is signal.SIGKILL:
            self._broker.kill()
            self._runs = False
        elif number is signal.SIGTERM:
            self._broker.stop()
            self._runs = False
        else:
            self._broker.send(number)

    def status(self) -> int | None:
        """Return a status where it ended by itself."""
        return self._broker.status() if self._runs else None

    def wait(self) -> int:
        return 0

    def ready(self) -> bool:
        self._broker.wait_ready()
        return True

    def words(self) -> str:
        return self._broker.last_words()
