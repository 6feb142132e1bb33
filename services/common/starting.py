"""How a part on Kafka starts: its topics, then the catalog, saying what it waits for.

A part takes its address first, and then may wait for Kafka for a minute. Meanwhile ``/readyz``
and all that is asked of the part are answered 503 in words, ``/healthz`` that the process turns,
and the log has a line for each thing that is waited for.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import Request, Response

from services.common import logging
from services.common.answers import unavailable
from services.common.catalog import Catalog
from services.common.catalog_topic import open_catalog
from services.common.clock import SystemClock
from services.common.connection import Connection
from services.common.health_app import health_app
from services.common.kafka import client_options
from services.common.metrics import Metrics
from services.common.settings import Settings
from services.common.topics import Name, topic_name
from services.common.topics_made import ensure_topics


def begin(
    settings: Settings,
    address: socket.socket,
    part: str,
    names: Iterable[Name] | None = None,
    *,
    keeper: bool = False,
) -> Catalog:
    """Make or check the topics (all unless named), and return the catalog, which is to be closed.

    Raises ``InvalidError`` where a setting or a topic is wrong, ``UnavailableError`` where Kafka
    stays away.
    """
    client_options(settings)  # what cannot be is not waited for
    with _waiting(address, part) as wait:
        wait(f"the topics at Kafka {settings.kafka}")
        asyncio.run(ensure_topics(settings, names))
        wait(f"the catalog of all parts, topic {topic_name(settings, 'catalog')}")
        return open_catalog(settings, SystemClock(), keeper=keeper)


@contextmanager
def _waiting(address: socket.socket, part: str) -> Iterator[Callable[[str], None]]:
    """Answer health on a taken address for a block; whoever serves after it has it for itself."""
    said = [""]
    log = logging.get(part)

    def wait(what: str) -> None:
        said[:] = [what]
        log.info("starting", waits_for=what)

    def unready() -> str:
        return f"the process starts, and waits for {said[0]}"

    async def later(_: Request) -> Response:
        return unavailable(unready())

    app = health_app(alive=str, ready=unready, metrics=Metrics())
    app.add_route("/{path:path}", later, methods=["GET", "POST", "DELETE", "OPTIONS"])
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",  # that this one shuts down is no news
            server_header=False,
        )
    )
    # It closes what it served on: a second handle of the socket, which itself stays open.
    serving = threading.Thread(
        target=server.run, kwargs={"sockets": [address.dup()]}, name="starting", daemon=True
    )
    serving.start()
    try:
        yield wait
    finally:
        server.should_exit = True
        serving.join()
