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
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns; whoever is interrupted meanwhile (Ctrl-C) leaves none.

        Raises ``UnavailableError`` where Kafka does not answer.
        """
        under_way = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return under_way.result()
        except (KafkaError, OSError) as error:
            raise UnavailableError(f"Kafka does not answer: {error!r}") from error
        finally:
            under_way.cancel()

    def close(self) -> None:
        """End the thread; what still runs is cancelled, and ends in order."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()
