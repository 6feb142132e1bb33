"""The HTTP server of one process, and how it ends: not ready first, then no new connection.

1. SIGTERM or SIGINT: ``/readyz`` says so, streams end; requests are still answered.
2. A moment later (so that a balancer has seen it) the socket closes; requests under way finish.
3. ``serve`` returns; the caller stops the engine.
"""

import socket
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn

from services.common.connection import Connection
from services.common.errors import InvalidError
from services.common.hosts import App

NOTICE_SECONDS = 1.0
FINISH_SECONDS = 5
"""Requests under way get this long: with the notice and the engine's end, less than ten seconds."""
BACKLOG = 2_048


def listen(host: str, port: int) -> socket.socket:
    """Take the address, before anything else is opened; ``InvalidError`` says who cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host.strip("[]"), port))
    except OSError as error:
        taken.close()
        raise InvalidError(
            f"cannot listen on {host}:{port} (WAYMARK_HOST, WAYMARK_PORT): {error.strerror}"
        ) from error
    return taken


def url_of(host: str, address: socket.socket, everywhere: str = "") -> str:
    """Return the URL of a taken address.

    One that listens everywhere has the name ``everywhere``, or loopback's where that is empty.
    """
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - a name to show
        name = everywhere or ("::1" if host == "::" else "127.0.0.1")
    else:
        name = host.strip("[]")
    port = address.getsockname()[1]
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


class Server(uvicorn.Server):
    """A server that says first that it goes, and only then goes."""

    def __init__(
        self,
        app: App,
        *,
        on_started: Callable[[], None],
        on_stopping: Callable[[], None],
        connection: type[Connection] = Connection,
    ) -> None:
        """Serve this app; ``on_started`` once it listens, ``on_stopping`` at the first signal.

        ``connection`` is the protocol of one connection.
        """
        super().__init__(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=connection,
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,  # ingest judges forwarded addresses, by the settings alone
                backlog=BACKLOG,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        self._on_started = on_started
        self._on_stopping = on_stopping
        self.stopping = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        self._on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first one drains, a second one hurries."""
        del sig, frame
        if self.stopping:
            self.force_exit = self.should_exit = True
            return
        self.drain()

    def drain(self) -> None:
        """Begin to end; callable from any thread."""
        self.stopping = True
        self._on_stopping()
        timer = threading.Timer(NOTICE_SECONDS, self._leave)
        timer.daemon = True
        timer.start()

    def _leave(self) -> None:
        self.should_exit = True
