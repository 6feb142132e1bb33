"""Sends the simulated shop's events through the HTTP API, as a storefront would."""

import asyncio
import heapq
import itertools

import httpx
import msgspec

from services.common import logging
from services.common.ports import Clock
from services.demo.journeys import visits

ARRIVAL_MS = 900
"""A new visitor about every second: enough life for a page, nothing for a machine."""
TICK_S = 0.4
Due = tuple[int, int, bytes]


class Traffic:
    """The events that are due next, and the client that sends them."""

    def __init__(self, client: httpx.AsyncClient, write_key: str, clock: Clock, seed: int) -> None:
        """Send with the client (its base URL is Waymark's) into the key's source."""
        self._client = client
        self._headers = {"Authorization": f"Bearer {write_key}"}
        self._clock = clock
        self._visits = visits(seed)
        self._numbers = itertools.count()
        self._due: list[Due] = []
        self._next_arrival_ms = clock.now_ms()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; what cannot be sent now is kept and tried again."""
        while not stop.is_set():
            self._arrive(self._clock.now_ms())
            await self._send(self._take(self._clock.now_ms()))
            try:
                await asyncio.wait_for(stop.wait(), TICK_S)
            except TimeoutError:
                continue

    def _arrive(self, now_ms: int) -> None:
        while self._next_arrival_ms <= now_ms:
            at_ms = self._next_arrival_ms
            for step in next(self._visits):
                at_ms += step.after_ms
                line = msgspec.json.encode({"ts_ms": at_ms, **step.event})
                heapq.heappush(self._due, (at_ms, next(self._numbers), line))
            self._next_arrival_ms += ARRIVAL_MS

    def _take(self, now_ms: int) -> list[Due]:
        taken = []
        while self._due and self._due[0][0] <= now_ms:
            taken.append(heapq.heappop(self._due))
        return taken

    async def _send(self, due: list[Due]) -> None:
        if not due:
            return
        body = b"\n".join(line for _, _, line in due)
        headers = {**self._headers, "Content-Type": "application/x-ndjson"}
        try:
            answer = await self._client.post("/v1/events", content=body, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            logging.get("demo").warning("not sent, kept", events=len(due), error=str(error))
            for item in due:
                heapq.heappush(self._due, item)
