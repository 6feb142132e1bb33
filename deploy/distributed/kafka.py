"""The broker of ``make run-distributed``, for the runner to keep running like every other part."""

import time
from pathlib import Path

from deploy.distributed.child import EndedError
from deploy.kafka.broker import Broker, make_nodes


class Kafka:
    """One node on its own data and port: started again, it has all that was acknowledged."""

    name = "kafka"

    def __init__(self, folder: Path, port: int) -> None:
        """Describe it; it takes this port of loopback and the next."""
        self._broker = Broker(make_nodes(folder, 1, port)[0])
        self.address = self._broker.address
        self.log = self._broker.output
        self.started: list[float] = []

    @property
    def pid(self) -> int:
        """Return its process id; raises ``RuntimeError`` while it does not run."""
        return self._broker.pid

    def start(self) -> None:
        """Start it without waiting."""
        self.started.append(time.monotonic())
        self._broker.launch()

    def wait_ready(self) -> None:
        """Wait until it takes connections; raises ``EndedError`` where it does not come to that."""
        try:
            self._broker.wait_ready()
        except RuntimeError as error:
            raise EndedError(f"{self.name}: {error}") from error

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""
        return self._broker.status() is not None

    def stop(self) -> None:
        """End it in good order; kill it where that takes too long."""
        self._broker.stop()

    def last_words(self) -> str:
        """Return the end of what it printed."""
        return self._broker.last_words()
