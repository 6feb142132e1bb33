"""``waymark ingest``: events over HTTP into Kafka. The composition root.

Start: address, topics, catalog, producer, server; then it accepts, and time passes in the log.
Stop (SIGTERM, SIGINT): not ready, no new connection, requests under way get their answers, ticks
end, what waits is written, the producer closes. All that was answered 200 is on the brokers at
every moment of it, so a stop that takes too long may as well be a kill.
"""

from contextlib import ExitStack
from socket import socket

from services.common import logging
from services.common.catalog import Catalog
from services.common.clock import SystemClock
from services.common.garbage import collect_seldom
from services.common.hosts import guard_hosts
from services.common.metrics import Metrics
from services.common.policy_file import policy_of
from services.common.rules import CatalogRules
from services.common.server import Server, listen
from services.common.settings import Settings
from services.common.starting import begin
from services.ingest.app import Limits, create_ingest, ingest_first
from services.ingest.door import door
from services.ingest.gate import Gate
from services.ingest.kafka_publisher import KafkaPublisher
from services.ingest.recall import Recall
from services.ingest.web import create_web
from services.metrics_api.preview import LivePreview
from services.sessionizer.lookup import RemoteLive


def run(settings: Settings) -> int:
    """Serve until told to stop; return the exit status.

    Raises ``InvalidError`` where a setting, a topic or the address is wrong, and
    ``UnavailableError`` where Kafka does not answer.
    """
    logging.configure(settings)
    with ExitStack() as closing:
        address = closing.enter_context(listen(settings.host, settings.port))
        catalog = begin(settings, address, "ingest", keeper=True)
        closing.callback(catalog.close)
        Part(settings, address, catalog).serve()
    return 0


class Part:
    """One ingest process on a taken address."""

    def __init__(self, settings: Settings, address: socket, catalog: Catalog) -> None:
        """Build the application; nothing runs yet."""
        self._address = address
        self._log = logging.get("ingest")
        metrics, clock = Metrics(), SystemClock()
        policy = policy_of(settings.policy)
        self._publisher = KafkaPublisher(settings, metrics)
        self._catalog = catalog
        rules = CatalogRules(catalog, policy)
        live = RemoteLive(settings)
        gate = Gate(self._publisher, catalog, clock, metrics)
        ingest = create_ingest(
            self._publisher,
            self._publisher,
            catalog,
            rules=rules,
            clock=clock,
            metrics=metrics,
            preview=LivePreview(live.live_states, rules),
            open_session=Recall(live.has_open_session),
            trusted_proxies=settings.trusted_proxies,
            country_header=settings.country_header,
            limits=Limits(in_flight_bytes=settings.in_flight_bytes),
        )
        web = create_web(self._publisher, live, gate, metrics, lambda: self._server.stopping)
        front = ingest_first(gate.before(ingest), web)
        app = guard_hosts(front, settings.host, settings.hosts)
        self._server = Server(
            app, on_started=self._started, on_stopping=self._stopping, connection=door(gate)
        )

    def serve(self) -> None:
        """Run until the server was told to stop; the producer starts and ends with it."""
        self._server.run(sockets=[self._address])
        self._log.info("stopped")

    def _started(self) -> None:
        collect_seldom()
        self._publisher.accept(True)
        host, port = self._address.getsockname()[:2]
        self._log.info("ingest accepts", host=host, port=port)
        if not self._catalog.has_keys():
            self._log.warning("no write key exists: `waymark keys create SOURCE` makes one")

    def _stopping(self) -> None:
        self._log.info("stopping")
