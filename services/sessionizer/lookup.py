"""``LiveView`` from outside: each question goes to the worker that owns the partition.

``MovingError`` wherever a partition has no owner, its worker does not answer or says that it is not
there: HTTP tells it as 503 with Retry-After, and a moment later the partition has arrived.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Self

import httpx

from services.common.errors import MovingError
from services.common.partitions import key_of, partition_of
from services.common.settings import Settings
from services.sessionizer.directory import Directory

TIMEOUT_SECONDS = 5.0
OK, NOTHING = 200, 204


class RemoteLive:
    """The live view of an installation of many workers. ``start`` before the first question."""

    def __init__(self, settings: Settings) -> None:
        """Ask the workers of these settings; nothing is connected before ``start``."""
        self._partitions = settings.kafka_partitions
        self._directory = Directory(settings)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)

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

    # -- of one visitor

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state, None for one never seen."""
        question = {"source": source, "visitor_id": visitor_id}
        answer = await self._ask(self._home(source, visitor_id), "visitor", question)
        found: dict[str, Any] | None = answer.json()
        return found

    async def live_state(self, source: str, address: str) -> bytes | None:
        """Return the encoded state of an address with what waits folded in, None for none."""
        question = {"source": source, "address": address}
        answer = await self._ask(self._home(source, address), "state", question)
        return None if answer.status_code == NOTHING else answer.content

    async def has_open_session(self, source: str, visitor_id: str) -> bool:
        """Tell whether a visitor has an open session now."""
        found = await self.visitor(source, visitor_id)
        return found is not None and found["open_session"] is not None

    # -- of all

    async def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the log's clock, by stage."""
        total: Counter[str] = Counter()
        for row in await self._of_all("counts", source):
            total.update(row["live_visitors"])
        return dict(total)

    async def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        return sum(row["open_carts"] for row in await self._of_all("counts", source))

    async def clock_ms(self) -> int:
        """Return the log's clock: that of the partition which is furthest behind.

        Whatever lies before it is decided in every partition.
        """
        return min(int(row["clock_ms"]) for row in await self._of_all("counts", ""))

    async def signals(self, source: str) -> list[dict[str, Any]]:
        """Return the signals that waiting events alone have made."""
        rows = await self._of_all("signals", source)
        return [signal for row in rows for signal in row["signals"]]

    # -- asking

    def _home(self, source: str, address: str) -> str:
        number = partition_of(key_of(source, address), self._partitions)
        url = self._directory.urls.get(number)
        if url is None:
            raise MovingError(f"partition {number} has no owner now")
        return url

    async def _of_all(self, what: str, source: str) -> list[dict[str, Any]]:
        """Return the answers of every partition, each exactly once."""
        urls = set(self._directory.urls.values())
        answers = await asyncio.gather(*(self._ask(url, what, {"source": source}) for url in urls))
        rows = [row for answer in answers for row in answer.json()]
        self._check(row["partition"] for row in rows)
        return rows

    def _check(self, found: Iterable[int]) -> None:
        times = Counter(found)
        wrong = [number for number in range(self._partitions) if times[number] != 1]
        if wrong:
            raise MovingError(f"partitions {wrong} are being taken over")

    async def _ask(self, url: str, what: str, question: dict[str, str]) -> httpx.Response:
        try:
            answer = await self._http.get(f"{url}/v1/live/{what}", params=question)
        except httpx.HTTPError as error:
            raise MovingError(f"worker {url} does not answer: {error!r}") from error
        if answer.status_code not in {OK, NOTHING}:
            raise MovingError(f"worker {url} answers {answer.status_code}: {answer.text[:200]}")
        return answer
