"""What stands before ingest where it could store nothing, or not soon: an answer at once.

Refusing costs a fraction of what accepting does, so those who are accepted are served in time even
where twice as many come as can be served.
"""

from services.common.catalog import Catalog
from services.common.errors import UnavailableError
from services.common.hosts import App, Receive, Scope, Send
from services.common.metrics import Metrics
from services.common.ports import Clock
from services.ingest.answers import Answer, reply, retry_later
from services.ingest.kafka_publisher import KafkaPublisher
from services.ingest.pulse import Pulse

SHUT = retry_later("unavailable", "the log cannot take events now").answer()
FULL = retry_later("overloaded", "more comes than can be served; come again shortly").answer()
CROWD = 64
"""Fewer requests under way cannot be why the loop is late: then the machine is busy otherwise."""


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
        self._under_way = 0
        self.pulse = Pulse()

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
            refused = self.refusal()
            if refused is not None:
                await reply(send, refused)
                return
            self._under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                self._under_way -= 1
                self.pulse.served += 1

        return guarded

    def refusal(self) -> Answer | None:
        """Return the answer to a request that cannot be taken now, counted; None where it can."""
        refused = self._reason()
        if refused is not None:
            status, code = str(refused.status), refused.code
            self._metrics.count("waymark_ingest_requests_total", 1, status=status, code=code)
        return refused

    def _reason(self) -> Answer | None:
        if self.shut():
            return SHUT
        if not self.pulse.behind:
            return None
        # Who comes waits as long as those before take: no longer than the window, then.
        if self._under_way < max(CROWD, self.pulse.in_window):
            return None
        self.pulse.refused = True
        return FULL
