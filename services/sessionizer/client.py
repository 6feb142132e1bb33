"""The client of the workers' own HTTP: each question goes to the worker that owns the partition.

``MovingError`` wherever a partition has no owner, its worker does not answer or says that it is not
there: HTTP tells it as 503 with Retry-After, and a moment later the partition has arrived.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from typing import Any, Self

import httpx
import msgspec

from services.common.errors import MovingError
from services.common.partitions import key_of, partition_of
from services.common.settings import Settings
from services.sessionizer.core.policy import Policy
from services.sessionizer.directory import Directory

ANSWERED = frozenset({200, 204})


class WorkerClient:
    """All workers of an installation. ``start`` before the first question."""

    def __init__(self, settings: Settings, timeout_seconds: float) -> None:
        """Ask the workers of these settings; nothing is connected before ``start``."""
        self._partitions = settings.kafka_partitions
        self._directory = Directory(settings)
        self._http = httpx.AsyncClient(timeout=timeout_seconds)

    async def start(self) -> None:
        """Connect, and read who owns what."""
        await self._directory.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._directory.stop()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Start for a block."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at its end."""
        await self.stop()

    @property
    def urls(self) -> Collection[str]:
        """Return the URL of every worker that owns a partition."""
        return set(self._directory.urls.values())

    def differs(self, policy: Policy) -> str:
        """Say by which other policy of the installation workers fold; "" where by none."""
        return self._directory.differs(policy)

    def home(self, source: str, address: str) -> str:
        """Return the URL of the worker that owns an address; ``MovingError`` where none does."""
        number = partition_of(key_of(source, address), self._partitions)
        url = self._directory.urls.get(number)
        if url is None:
            raise MovingError(f"partition {number} has no owner now")
        return url

    async def ask(
        self,
        method: str,
        url: str,
        path: str,
        *,
        answers: Collection[int] = ANSWERED,
        **sent: Any,
    ) -> httpx.Response:
        """Return a worker's answer, of these statuses; ``sent`` goes to httpx.

        Raises ``MovingError`` where it gives none: its partitions may be another's by now.
        """
        try:
            answer = await self._http.request(method, f"{url}/v1/{path}", **sent)
        except httpx.HTTPError as error:
            failed = type(error).__name__
            raise MovingError(f"worker {url} does not answer: {failed}; does it run?") from error
        if answer.status_code not in answers:
            raise MovingError(f"worker {url} cannot tell now ({answer.status_code}); ask again")
        return answer

    async def ask_all(self, method: str, path: str, **sent: Any) -> list[dict[str, Any]]:
        """Return the answers of every ``partition``, each exactly once.

        Raises ``MovingError`` where one has no owner, or two.
        """
        asked = (self.ask(method, url, path, **sent) for url in self.urls)
        rows = [row for answer in await asyncio.gather(*asked) for row in _rows(answer)]
        times = Counter(row["partition"] for row in rows)
        wrong = [number for number in range(self._partitions) if times[number] != 1]
        if wrong:
            raise MovingError(
                f"partitions {wrong} are being taken over: does `waymark sessionizer` run?"
            )
        return rows


def _rows(answer: httpx.Response) -> list[dict[str, Any]]:
    """Read a worker's answer; somebody else may have its address by now."""
    try:
        rows = msgspec.json.decode(answer.content, type=list[dict[str, Any]])
    except msgspec.DecodeError as error:
        raise MovingError(f"what answers at {answer.url} is no worker") from error
    if not all("partition" in row for row in rows):
        raise MovingError(f"what answers at {answer.url} is no worker")
    return rows
