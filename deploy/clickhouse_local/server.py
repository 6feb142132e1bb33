"""A small server that speaks ClickHouse's HTTP interface over the embedded engine.

To try the distributed parts out, and for tests, where no ClickHouse server is at hand: it runs one
statement at a time, has no users, and listens on loopback alone. Not for production.

Enough of the interface for clickhouse-connect: statements with bound parameters and settings,
inserts, formats, errors with their code.
"""

import os
import re
import sys
import tempfile
import threading
import zlib
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
from chdb._exceptions import ChdbError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_SETTING = re.compile(r"[a-z][a-z0-9_]*")
_COLUMNS = re.compile(rb"(?is)(INSERT INTO [^\n]*FORMAT ArrowStream)\s*\n(.*)")
"""A statement with its rows behind it, which are no text."""
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
    server: "Server"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a ping."""
        self._send(200, b"Ok.\n")

    def do_POST(self) -> None:
        """Run a statement."""
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


class Server(ThreadingHTTPServer):
    """The server over the engine at a folder; one statement at a time."""

    daemon_threads = True

    def __init__(self, path: str, port: int = 0) -> None:
        """Open the engine and take the port of loopback, 0 for a free one."""
        super().__init__(("127.0.0.1", port), _Handler)
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
        with self._lock:
            return self._answer(sql, body, asked.get("database", "default"), settings, values)

    def _answer(
        self,
        sql: str,
        body: bytes,
        database: str,
        settings: dict[str, str],
        values: dict[str, str],
    ) -> bytes:
        self._connection.query(f"USE {database}")
        inline = None if sql else _COLUMNS.fullmatch(body)
        if inline:
            sql, body = inline[1].decode(), inline[2]
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
        """Close the engine too."""
        super().server_close()
        self._connection.close()


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
