"""Parts of an installation as real processes of ``waymark``, each at its own port."""

import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.commands import Commands

if TYPE_CHECKING:
    from pathlib import Path

START_SECONDS = 120.0
SHOWN = 6_000
"""Characters of what a process printed that a failed check shows."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: Any, seconds: float = 120.0) -> Any:
    """Ask until the answer is truthy; return it, or fail with the last one."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, f"still {found!r} after {seconds} s"
        time.sleep(0.05)
    return found


class Part:
    """One part: its command, its port, and the process that runs, if one does.

    ``http`` asks it; a client made for each question costs more than most questions.
    """

    def __init__(self, commands: Commands, command: str, environ: dict[str, Any]) -> None:
        self.command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {name: str(text) for name, text in environ.items()} | {
            "WAYMARK_PORT": str(self.port)
        }
        self.http = httpx.Client(base_url=self.url, timeout=120)
        self.pid = 0
        self._outputs: list[Path] = []
        self._commands = commands

    def launch(self, *arguments: object, **environ: str) -> None:
        """Start without waiting for anything."""
        self.pid, output = self._commands.start(self.command, *arguments, **self.environ | environ)
        self._outputs.append(output)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        eventually(self.ready, START_SECONDS)

    def ready(self) -> bool:
        assert self.running(), f"{self.command} ended:\n{self.text()[-SHOWN:]}"
        return self.status("/readyz") == httpx.codes.OK

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
            return self.http.get(path).status_code
        except httpx.TransportError:
            return 0

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 200) -> int:
        """Return the exit status, negative for a signal; kill what takes too long."""
        pid, self.pid = self.pid, 0
        return self._commands.wait(pid, seconds)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL, self.text()[-SHOWN:]

    def close(self) -> None:
        """Kill what still runs; how it ends is nobody's concern any more."""
        if self.pid:
            self.signal(signal.SIGKILL)
            self.wait()
        self.http.close()

    def text(self) -> str:
        """Return what it printed in all its lives, the newest last."""
        files = (one.with_suffix(end) for one in self._outputs for end in (".out", ".err"))
        return "".join(file.read_text() for file in files if file.exists())
