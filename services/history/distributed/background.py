"""An event loop in a thread of its own, for work in threads that asks the network."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from services.common.errors import UnavailableError

T = TypeVar("T")


class Background:
    """Runs coroutines for callers in other threads, who wait for the result."""

    def __init__(self) -> None:
        """Start the thread."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns. Raises ``UnavailableError`` where Kafka does not answer."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (KafkaError, OSError) as error:
            raise UnavailableError(f"Kafka does not answer: {error!r}") from error

    def close(self) -> None:
        """End the thread; nothing runs any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
