"""Commands as a user calls them: real processes on temporary data folders."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.commands import Commands, Done

START_SECONDS = 120.0


class Shop:
    """A data folder and, while ``start`` has been called, the ``waymark run`` on it."""

    def __init__(self, commands: Commands, data: Path) -> None:
        self.data = data
        self.url = ""
        self.first_output = ""
        self.pid = 0
        self._commands = commands
        self._http = httpx.Client(timeout=120)

    def __call__(self, *args: object, **environ: str) -> Done:
        """Run a command on the folder."""
        return self._commands.run(*args, WAYMARK_DATA=str(self.data), **environ)

    def start(self, *more: str, port: int = 0) -> str:
        """Run until the URL is printed; return all that was."""
        args = ("run", "--data", self.data, "--port", port, *more)
        self.pid, output = self._commands.start(*args)
        until = time.monotonic() + START_SECONDS
        while not (found := re.search(r"page +(http://[^/\s]+)", self._read(output))):
            assert time.monotonic() < until, self._read(output)
            time.sleep(0.02)
        self.url = found[1]
        self.first_output = self.first_output or self._read(output)
        return self._read(output)

    def _read(self, output: Path) -> str:
        files = [output.with_suffix(end) for end in (".out", ".err")]
        return "".join(file.read_text() for file in files if file.exists())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        pid, self.pid = self.pid, 0
        os.kill(pid, how)
        return self._commands.wait(pid)

    def close(self) -> None:
        if self.pid:
            self.stop(signal.SIGKILL)
        self._http.close()

    def key(self) -> str:
        found = re.search(r"wk_[\w-]+", self.first_output)
        assert found, self.first_output
        return found[0]

    def post(self, body: object, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key()}"}
        return self._http.post(f"{self.url}/v1/events", json=body, headers=headers)

    def rows(self, path: str, **parameters: str) -> list[dict[str, object]]:
        answer = self._http.get(f"{self.url}/v1/{path}", params={"limit": 1000, **parameters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()["rows"]
        return found


@pytest.fixture(scope="module")
def shop(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Return a running installation that the tests of a module share."""
    made = Shop(commands, tmp_path_factory.mktemp("shop") / "data")
    made.start()
    yield made
    made.close()


@pytest.fixture
def still(commands: Commands, tmp_path: Path) -> Iterator[Shop]:
    """Return an installation that nothing runs on."""
    made = Shop(commands, tmp_path / "data")
    yield made
    made.close()
