"""A small server that speaks ClickHouse's HTTP interface over the embedded engine.

Enough of it for clickhouse-connect: statements with bound parameters and settings, inserts,
formats, errors with their code. It stands where no server binary is at hand.

As a process of its own (``python -m tests.support.clickhouse_http FOLDER PORT``) it can be killed
and stopped like a server. While a file ``hold`` lies in the folder's parent, what was inserted is
there, but nobody is told: the moment between an insert and its answer, as long as a test wants it.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
from chdb._exceptions import ChdbError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ROOT = Path(__file__).resolve().parents[2]
HOLD = "hold"
START_SECONDS = 60.0
_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_TRANSPORT = {
    "database",
    "query",
    "session_id",
    "query_id",
    "compress",
    "enable_http_compression",
    "wait_end_of_query",
    "client_protocol_version",
    "default_format",
    "buffer_size",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "role",
    "cancel_http_readonly_queries_on_client_close",
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, b"Ok.\n")

    def do_POST(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = _decoded(
            self.rfile.read(int(self.headers.get("Content-Length", 0))),
            self.headers.get("Content-Encoding", ""),
        )
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            asked |= _fields(kind, body)
            body = b""
        elif kind.startswith("application/x-www-form-urlencoded"):
            asked |= dict(parse_qsl(body.decode(), keep_blank_values=True))
            body = b""
        try:
            self._send(200, self.server.run(asked, body))
        except ChdbError as error:
            code = re.search(r"Code: (\d+)", str(error))
            self._send(500, str(error).encode(), code[1] if code else "1")

    def _send(self, status: int, body: bytes, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._hold = Path(path).parent / HOLD
        self._connection: Any = chdb.connect(path)  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed while it waited; all else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def run(self, asked: dict[str, str], body: bytes) -> bytes:
        """Run one statement as the interface defines: query parameter, then body."""
        sql = asked.pop("query", "")
        values = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        settings = {
            name: value
            for name, value in asked.items()
            if not name.startswith("param_") and name not in _TRANSPORT
        }
        inserts = bool(sql and body)
        with self._lock:
            answer = self._answer(sql, body, asked.get("database", "default"), settings, values)
        while inserts and self._hold.exists():
            time.sleep(0.02)
        return answer

    def _answer(
        self,
        sql: str,
        body: bytes,
        database: str,
        settings: dict[str, str],
        values: dict[str, str],
    ) -> bytes:
        self._connection.query(f"USE {database}")
        if sql and body:
            return self._insert(sql, body, settings)
        text = sql or body.decode()
        try:
            for name, value in settings.items():
                self._set(name, value)
            return bytes(self._connection.query(text, "TabSeparated", params=values).bytes())
        finally:
            for name in settings:
                self._connection.query(f"SET {name} = DEFAULT")

    def _insert(self, sql: str, body: bytes, settings: dict[str, str]) -> bytes:
        head, format_ = re.fullmatch(r"(?is)(.*?)\s*\bFORMAT\s+(\w+)\s*", sql).groups()  # type: ignore[union-attr]
        head = re.sub(r"(?is)\s*\bSETTINGS\b.*", "", head)
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(body)
        chosen = ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items())
        clause = f" SETTINGS {chosen}" if chosen else ""
        try:
            self._connection.query(f"{head} FROM INFILE '{file.name}'{clause} FORMAT {format_}")
        finally:
            os.unlink(file.name)  # noqa: PTH108 - the name is a string
        return b""

    def _set(self, name: str, value: str) -> None:
        if not _SETTING.fullmatch(name):
            raise ChdbError(f"Code: 115. unknown setting {name}")
        self._connection.query(f"SET {name} = {_quoted(value)}")

    def server_close(self) -> None:
        super().server_close()
        self._connection.close()


@contextmanager
def clickhouse_over_http(path: str) -> Iterator[str]:
    """Yield the address of a server over the engine at a folder."""
    server = _Server(path)
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

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return zlib.decompress(body, 31)
    if encoding == "zstd":
        return zstd.decompress(body)
    return body


def _fields(kind: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    parts: Any = message.get_payload()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode()
        for part in parts
    }


if __name__ == "__main__":
    _Server(sys.argv[1], int(sys.argv[2])).serve_forever(0.02)
