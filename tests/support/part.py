"""The parts of an installation as processes of ``waymark``, each at its own port."""

import os
import signal
from pathlib import Path
from typing import Any

import httpx

from tests.support.commands import Commands
from tests.support.process import eventually, free_port

START_SECONDS = 120.0


class Part:
    """One part: its command, its port, and the process that runs, if one does."""

    def __init__(self, commands: Commands, command: str, environ: dict[str, Any]) -> None:
        self.command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {name: str(text) for name, text in environ.items()} | {
            "WAYMARK_PORT": str(self.port)
        }
        self.pid = 0
        self.output = Path()
        self._commands = commands

    def launch(self, *arguments: object, **environ: str) -> None:
        """Start without waiting for anything."""
        self.pid, self.output = self._commands.start(
            self.command, *arguments, **self.environ | environ
        )

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        eventually(self.ready, START_SECONDS)

    def ready(self) -> bool:
        assert self.running(), f"{self.command} ended:\n{self.text()}"
        return self.status("/readyz") == 200

    def running(self) -> bool:
        if not self.pid:
            return False
        if self._commands.poll(self.pid) is None:
            return True
        self.pid = 0
        return False

    def status(self, path: str) -> int:
        """Return the status of an answer, 0 where nobody answers."""
        try:
            return httpx.get(self.url + path, timeout=30).status_code
        except httpx.TransportError:
            return 0

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 60) -> int:
        """Return the exit status, negative for a signal; kill what takes too long."""
        pid, self.pid = self.pid, 0
        return self._commands.wait(pid, seconds)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        if self.pid:
            self.signal(signal.SIGKILL)
            self.wait()

    def text(self) -> str:
        """Return what it printed, the newest last."""
        files = [self.output.with_suffix(end) for end in (".out", ".err")]
        return "".join(file.read_text() for file in files if file.exists())[-6000:]
