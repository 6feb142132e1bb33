"""Real ``waymark run`` processes for tests: started, asked over HTTP, stopped and killed."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0

SHORT = """
[session]
gap_ms = 1_500
[cart]
idle_ms = 1_000
checkout_idle_ms = 800
[time]
grace_ms = 300
stall_ms = 600_000
emit_every_ms = 1_000
"""
"""What takes half an hour in a shop shows within seconds; a slow machine's restart is no stall."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Zygote:
    """Imports once and forks a process a start. Answers one order at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, settings: dict[str, Any], output: Path) -> int:
        shown = {name: str(value) for name, value in settings.items()}
        return self._order({"do": "start", "settings": shown, "output": str(output)})

    def wait(self, pid: int) -> int:
        return self._order({"do": "wait", "pid": pid})

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


class Waymark:
    """One data folder and the process that runs on it, if one does."""

    def __init__(self, zygote: Zygote, folder: Path, **settings: Any) -> None:
        self.data = folder / "data"
        self.output = folder / "output.txt"
        self.settings = {"data": self.data, "port": free_port(), **settings}
        self.url = f"http://127.0.0.1:{self.settings['port']}"
        self.pid = 0
        self._zygote = zygote
        self._http = httpx.Client(base_url=self.url, timeout=30)

    def launch(self) -> None:
        """Start without waiting for anything."""
        self.pid = self._zygote.start(self.settings, self.output)

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if self._http.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"not ready in {START_SECONDS} s:\n{self.text()[-3000:]}")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end and return the exit status, negative for a signal."""
        pid, self.pid = self.pid, 0
        return self._zygote.wait(pid)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL, self.text()[-3000:]

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        if self.pid:
            self.signal(signal.SIGKILL)
            self.wait()
        self._http.close()

    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def key(self) -> str:
        found = re.search(r"wk_[\w-]+", self.text())
        assert found, self.text()
        return found[0]

    # -- over HTTP

    def post(self, events: Any) -> dict[str, Any]:
        answer = self._http.post(
            "/v1/events", json=events, headers={"Authorization": f"Bearer {self.key()}"}
        )
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def get(self, path: str, **parameters: Any) -> Any:
        answer = self._http.get(path, params=parameters)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    def status(self, path: str) -> tuple[int, Any]:
        answer = self._http.get(path)
        return answer.status_code, answer.json()

    def rows(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page."""
        more: dict[str, str] = {}
        while True:
            page = self.get(path, limit=1_000, **parameters, **more)
            yield from page["rows"]
            if page["next"] is None:
                return
            more = {"cursor": page["next"]}


def eventually(what: Any, seconds: float = 30.0) -> Any:
    """Ask until the answer is truthy; return it, or fail with the last one."""
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, f"still {found!r} after {seconds} s"
        time.sleep(0.05)
    return found
