"""``waymark loader``: topics into ClickHouse. The composition root.

Stop (SIGTERM, SIGINT): not ready; what is being inserted is committed, the group is left. A kill
costs nothing but reading again what was not committed: so a silent storage does not hold it up.
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from services.common import logging
from services.common.clock import SystemClock
from services.common.fatal import die
from services.common.metrics import Metrics
from services.common.ports import Storage
from services.common.server import Server, listen
from services.common.settings import Settings
from services.common.starting import begin
from services.common.topics import TOPIC_OF_TABLE
from services.history.distributed.nightly import nightly
from services.loader.part import LoaderPart
from services.loader.topics import EVENTS
from services.loader.warehouse import Warehouse

STOP_SECONDS = 8.0


def run(settings: Settings) -> int:
    """Load until told to stop; return the exit status.

    Raises ``InvalidError`` where a setting, a topic or the address is wrong, and
    ``UnavailableError`` where Kafka does not answer.
    """
    logging.configure(settings)
    clock = SystemClock()
    with ExitStack() as closing:
        address = closing.enter_context(listen(settings.host, settings.port))
        catalog = begin(settings, address, "loader", [EVENTS, *TOPIC_OF_TABLE.values()])
        closing.callback(catalog.close)
        warehouse = Warehouse(settings, clock)

        def nightly_rebuild(storage: Storage) -> Sequence[Callable[[], object]]:
            return (nightly(settings, catalog, storage, clock).run,)

        part = LoaderPart(settings, warehouse, catalog, Metrics(), die, more_chores=nightly_rebuild)
        log = logging.get("loader")
        host, port = address.getsockname()[:2]
        server = Server(
            part.app(),
            on_started=lambda: log.info("listening", host=host, port=port),
            on_stopping=lambda: _stop(part),
        )
        server.run(sockets=[address])
        log.info("stopped")
    return 0


def _stop(part: LoaderPart) -> None:
    part.stop()
    timer = threading.Timer(STOP_SECONDS, _leave)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    logging.get("loader").warning("storage is silent; the next start reads again what it has not")
    os._exit(0)
