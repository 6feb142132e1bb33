"""ClickHouse's HTTP interface for tests: ``deploy.clickhouse_local`` in a thread or a process.

As a process of its own (``python -m tests.support.clickhouse_http FOLDER PORT``) it can be killed
and stopped like a server. While a file ``hold`` lies in the folder's parent, what was inserted is
there, but nobody is told: the moment between an insert and its answer, as long as a test wants it.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.clickhouse_local.server import Server

ROOT = Path(__file__).resolve().parents[2]
HOLD = "hold"
START_SECONDS = 60.0


class _HoldingServer(Server):
    def __init__(self, path: str, port: int = 0) -> None:
        self._hold = Path(path).parent / HOLD
        super().__init__(path, port)

    def run(self, asked: dict[str, str], body: bytes) -> bytes:
        inserts = bool(asked.get("query") and body)
        answer = super().run(asked, body)
        while inserts and self._hold.exists():
            time.sleep(0.02)
        return answer


@contextmanager
def clickhouse_over_http(path: str) -> Iterator[str]:
    """Yield the address of a server over the engine at a folder."""
    server = Server(path)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class ClickHouseProcess:
    """The server as a process of its own over a folder; its port stays when it starts again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "clickhouse"
        self.hold = folder / HOLD
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        module = "tests.support.clickhouse_http"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.path), str(self.port)], cwd=ROOT
        )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < until, f"no answer within {START_SECONDS} s"
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


if __name__ == "__main__":
    _HoldingServer(sys.argv[1], int(sys.argv[2])).serve_forever(0.02)
