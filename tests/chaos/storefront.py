"""The storefront: sends every shopper's requests until each is acknowledged, and remembers which.

What was not acknowledged is sent again with the same event ids and times. Some requests are sent
again although they were acknowledged, some are held back until the one after them is through.
"""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx

from tests.chaos.contents import Json, Post, story

RETRY_SECONDS = 0.15
TIMEOUT_SECONDS = 8.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Storefront:
    """Shoppers of one seed. ``acknowledged`` is every event by its id, as it was sent."""

    def __init__(self, url: str, key: str, seed: int) -> None:
        self.seed = seed
        self.acknowledged: dict[str, Json] = {}
        self.answers: Counter[str] = Counter()
        self._next = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._coming: asyncio.Task[None] | None = None
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", "User-Agent": BROWSER},
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
        )

    @property
    def shoppers(self) -> int:
        return self._next

    def come(self) -> None:
        """Let the next shopper begin."""
        self._check()
        self._under_way.add(asyncio.create_task(self._shop(self._next)))
        self._next += 1

    def open(self, per_second: float) -> None:
        """Let shoppers come until it is closed."""
        self._coming = asyncio.create_task(self._come(per_second))

    async def _come(self, per_second: float) -> None:
        while True:
            self.come()
            await asyncio.sleep(1 / per_second)

    async def close(self) -> None:
        """Let nobody in any more, and everyone who is there go on to the end of the story."""
        await self._shut()
        await asyncio.gather(*self._under_way)
        self._under_way.clear()

    async def _shut(self) -> None:
        coming, self._coming = self._coming, None
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming

    async def end(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._http.aclose()

    def _check(self) -> None:
        """Raise what any shopper raised; forget those who are done."""
        for task in [task for task in self._under_way if task.done()]:
            task.result()
            self._under_way.discard(task)

    async def _shop(self, number: int) -> None:
        began_ms, began = time.time_ns() // 1_000_000, time.monotonic()
        held: list[Post] = []
        for post in story(self.seed, number):
            await asyncio.sleep(max(0, began + post.due_ms / 1000 - time.monotonic()))
            for event in post.events:
                event["ts_ms"] = began_ms + event.pop("at")
            if post.held_back and not held:
                held.append(post)
                continue
            await self._send(post)
            while held:
                await self._send(held.pop())
        for post in held:
            await self._send(post)

    async def _send(self, post: Post) -> None:
        await self._until_acknowledged(post.events)
        if post.repeat:
            await self._until_acknowledged(post.events)

    async def _until_acknowledged(self, events: list[Json]) -> None:
        while not await self._accepted(events):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(RETRY_SECONDS)
        for event in events:
            self.acknowledged[event["event_id"]] = event

    async def _accepted(self, events: list[Json]) -> bool:
        try:
            answer = await self._http.post("/v1/events", json=events)
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            return False
        self.answers[str(answer.status_code)] += 1
        if answer.status_code in {429, 503}:
            return False
        assert answer.status_code == httpx.codes.OK, answer.text
        told: dict[str, Any] = answer.json()
        assert (told["accepted"], told["errors"]) == (len(events), []), told
        return True
