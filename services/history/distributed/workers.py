"""What a rebuild asks of the workers: how far they are, what is open, whose state has moved."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

import httpx
import msgspec

from services.common.errors import MovingError
from services.common.partitions import key_of, partition_of
from services.common.settings import Settings
from services.sessionizer.directory import Directory
from services.sessionizer.web_beside import Question, Standing, Stored

T = TypeVar("T")
TIMEOUT_SECONDS = 60.0
PATIENCE_SECONDS = 120.0
"""For partitions that move: longer than a group takes to notice a worker that is gone."""
PAUSE_SECONDS = 0.5
ASKED_AT_ONCE = 500
"""So many addresses go into one question; a worker folds nothing for some ms of it."""
ANSWERED = frozenset({200, 204})


class Workers:
    """All workers of an installation."""

    def __init__(self, settings: Settings) -> None:
        """Ask the workers of these settings; nothing is connected before ``start``."""
        self._partitions = settings.kafka_partitions
        self._directory = Directory(settings)

    async def start(self) -> None:
        """Connect, and read who owns what."""
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS)
        await self._directory.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self._directory.stop()
        await self._http.aclose()

    async def stored(self) -> dict[int, Stored]:
        """Have all that is folded stored; return how far each partition is."""
        return await _patiently(lambda: self._every("stored"))

    async def watch(self, name: str) -> None:
        """Have it noted from now on whose state moves."""
        await _patiently(lambda: self._every(f"watch/{name}"))

    async def unwatch(self, name: str) -> None:
        """Have it noted no more; a worker that is away forgets by itself."""
        urls = set(self._directory.urls.values())
        asked = (self._http.delete(f"{url}/v1/beside/watch/{name}") for url in urls)
        await asyncio.gather(*asked, return_exceptions=True)

    async def view(
        self, watch: str, source: str, addresses: Collection[str]
    ) -> tuple[dict[str, int], set[str]]:
        """Return since when something of each is open, and who has moved since the watch began."""
        since: dict[str, int] = {}
        moved: set[str] = set()

        async def ask() -> bool:
            left = [address for address in sorted(addresses) if address not in since]
            for standing in await self._view(watch, source, left):
                since.update(standing.open_since)
                moved.update(standing.moved)
            missing = len(addresses) - len(since)
            if missing:
                raise MovingError(f"the partitions of {missing} visitors have no owner now")
            return True

        await _patiently(ask)
        return since, moved

    # -- asking

    async def _every(self, path: str) -> dict[int, Stored]:
        """Ask every worker; return the answers of every partition, each exactly once."""
        urls = set(self._directory.urls.values())
        answers = await asyncio.gather(*(self._post(url, path) for url in urls))
        rows = [
            row
            for answer in answers
            for row in msgspec.json.decode(answer.content, type=list[Stored])
        ]
        times = Counter(row.partition for row in rows)
        wrong = [number for number in range(self._partitions) if times[number] != 1]
        if wrong:
            raise MovingError(
                f"partitions {wrong} have no owner now: does `waymark sessionizer` run?"
            )
        return {row.partition: row for row in rows}

    async def _view(self, watch: str, source: str, addresses: Iterable[str]) -> list[Standing]:
        """Ask the owners of those whose partition has one."""
        by_url: dict[str, list[str]] = defaultdict(list)
        for address in addresses:
            number = partition_of(key_of(source, address), self._partitions)
            url = self._directory.urls.get(number)
            if url is not None:
                by_url[url].append(address)
        found = []
        for url, mine in by_url.items():
            for start in range(0, len(mine), ASKED_AT_ONCE):
                question = Question(watch, source, mine[start : start + ASKED_AT_ONCE])
                answer = await self._post(url, "view", msgspec.json.encode(question))
                found.append(msgspec.json.decode(answer.content, type=Standing))
        return found

    async def _post(self, url: str, path: str, body: bytes = b"") -> httpx.Response:
        try:
            answer = await self._http.post(f"{url}/v1/beside/{path}", content=body)
        except httpx.HTTPError as error:
            raise MovingError(f"worker {url} does not answer: {error!r}") from error
        if answer.status_code not in ANSWERED:
            raise MovingError(f"worker {url} answers {answer.status_code}: {answer.text[:200]}")
        return answer


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while partitions move, for as long as that may take."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await ask()
        except MovingError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
