"""The control socket: commands reach the process that owns the data folder.

Newline-delimited JSON over a UNIX socket that only the folder's owner can open. One request a
connection: ``{"command": NAME, "args": {…}}``; the answers are any number of
``{"progress": [done, of, what]}`` and then one ``{"result": …}`` or
``{"error": {"code", "message"}}``.
"""

import contextlib
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from services.common import logging
from services.common.errors import (
    FatalError,
    InvalidError,
    RetryableError,
    UnavailableError,
    WaymarkError,
)
from services.common.ports import Progress

PROGRESS_SECONDS = 0.1
LONGEST_NAME = 100
"""Bytes of a socket's path that every kernel takes."""
CODES: dict[type[WaymarkError], str] = {
    InvalidError: "invalid",
    RetryableError: "unavailable",
    FatalError: "fatal",
}
KINDS: dict[str, type[WaymarkError]] = {
    "invalid": InvalidError,
    "unavailable": UnavailableError,
    "fatal": FatalError,
}

Run = Callable[[str, dict[str, Any], Progress], Any]
"""Runs a command by name; raises ``WaymarkError`` for what went wrong on purpose."""


class Request(Struct, forbid_unknown_fields=True):
    """One command, as it comes over the socket."""

    command: str
    args: dict[str, Any] = {}


class CallerGoneError(WaymarkError):
    """Whoever asked for a command has gone away; long work stops at its next progress."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, run: Run) -> None:
        self.run = run
        super().__init__(path, _Conversation)


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        line = self.rfile.readline()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send(self._answer(line))

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=Request)
            result = self.server.run(request.command, request.args, self._progress())
        except msgspec.MsgspecError as error:
            return _error("invalid", f"not a command: {error}")
        except WaymarkError as error:
            return _error(_code(error), str(error))
        except Exception as error:  # noqa: BLE001 - a command's edge: told, logged, ingest goes on
            logging.get("control").exception("command failed", command=request.command)
            return _error("failed", f"{type(error).__name__}: {error}")
        return {"result": result}

    def _progress(self) -> Progress:
        last = 0.0

        def tell(done: int, of: int | None, what: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PROGRESS_SECONDS or done == of:
                last = now
                self._tell([done, of, what])

        return tell

    def _tell(self, progress: list[Any]) -> None:
        try:
            self._send({"progress": progress})
        except OSError as error:
            raise CallerGoneError("whoever asked for this has gone away") from error

    def _send(self, message: dict[str, Any]) -> None:
        self.wfile.write(msgspec.json.encode(message) + b"\n")


class ControlServer:
    """Listens in a thread of its own and answers each connection in another."""

    def __init__(self, path: Path, run: Run) -> None:
        """Take the place of a socket that a killed process left; the folder's lock is held."""
        self._path = path
        path.unlink(missing_ok=True)
        with _short(path) as name:
            self._server = _Server(name, run)
        path.chmod(0o600)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="control", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a command under way goes on until the process ends."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)


def ask(path: Path, command: str, args: dict[str, Any], progress: Progress) -> Any:
    """Have the running process do a command, and return its result.

    Raises what the handler raised, and ``UnavailableError`` where the process went away meanwhile;
    ``ConnectionRefusedError`` or ``FileNotFoundError`` where none listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        with _short(path) as name:
            link.connect(name)
        link.sendall(msgspec.json.encode(Request(command, args)) + b"\n")
        for line in link.makefile("rb"):
            message = msgspec.json.decode(line, type=dict[str, Any])
            if "progress" in message:
                progress(*message["progress"])
            elif "error" in message:
                error = message["error"]
                raise KINDS.get(error["code"], FatalError)(error["message"])
            else:
                return message["result"]
    raise UnavailableError(f"the process ended before it answered {command!r}")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give the socket a name the kernel takes: a deep folder is reached through its handle."""
    name = os.fspath(path)
    if len(os.fsencode(name)) <= LONGEST_NAME:
        yield name
        return
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        raise InvalidError(f"{path} is too long for a socket: choose a shorter WAYMARK_DATA")
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{handles}/{handle}/{path.name}"
    finally:
        os.close(handle)


def _code(error: WaymarkError) -> str:
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), "failed")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
