"""What stands before ingest where it could store nothing: an answer at once, not after a wait."""

from services.common.catalog import Catalog
from services.common.errors import UnavailableError
from services.common.hosts import App, Receive, Scope, Send
from services.common.metrics import Metrics
from services.common.ports import Clock
from services.ingest.answers import reply, retry_later
from services.ingest.kafka_publisher import KafkaPublisher

SHUT = retry_later("unavailable", "the log cannot take events now").answer()


class Gate:
    """Tells why nothing can be taken now, and answers for it."""

    def __init__(
        self, publisher: KafkaPublisher, catalog: Catalog, clock: Clock, metrics: Metrics
    ) -> None:
        """Look at the log's writer, and at the day's salt: without one no visitor is hidden."""
        self._publisher = publisher
        self._catalog = catalog
        self._clock = clock
        self._metrics = metrics

    def shut(self) -> str:
        """Return why nothing can be taken; "" where it can."""
        if self._publisher.shut:
            return self._publisher.shut
        try:
            self._catalog.salts(self._clock.now_ms())
        except UnavailableError as error:
            return str(error)
        return ""

    def before(self, app: App) -> App:
        """Return the application behind the gate."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if not self.shut():
                await app(scope, receive, send)
                return
            await reply(send, SHUT)
            status, code = str(SHUT.status), SHUT.code
            self._metrics.count("waymark_ingest_requests_total", 1, status=status, code=code)

        return guarded
