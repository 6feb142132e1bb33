"""Shoppers who send one event after the other, and what of it a log must hold afterwards."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from aiokafka import ConsumerRecord

from services.common.errors import RetryableError
from services.common.ports import Outgoing

PAUSE_SECONDS = 0.02

Send = Callable[[str, int], Awaitable[None]]
"""Sends the n-th event of a visitor; raises ``RetryableError`` where it must be sent again."""


class Load:
    """Visitors that send event 0, 1, 2 … each, an event again until it is acknowledged."""

    def __init__(self, send: Send, visitors: int) -> None:
        self._send = send
        self.acknowledged: dict[str, int] = {f"v{n}": 0 for n in range(visitors)}
        self.refused = 0
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._shop(visitor)) for visitor in self.acknowledged]

    async def stop(self) -> None:
        """Let each finish the event it is at."""
        self._going = False
        await asyncio.gather(*self._tasks)

    async def more(self, events: int) -> None:
        """Wait until every visitor has so many more events acknowledged."""
        wanted = {visitor: done + events for visitor, done in self.acknowledged.items()}
        while any(self.acknowledged[visitor] < least for visitor, least in wanted.items()):
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(PAUSE_SECONDS)

    async def refusals(self, count: int) -> None:
        """Wait until so many more attempts have been refused."""
        wanted = self.refused + count
        while self.refused < wanted:  # noqa: ASYNC110 - one waits, many refuse
            await asyncio.sleep(PAUSE_SECONDS)

    async def _shop(self, visitor: str) -> None:
        while self._going:
            try:
                await self._send(visitor, self.acknowledged[visitor])
            except RetryableError:
                self.refused += 1
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self.acknowledged[visitor] += 1


def outgoing(visitor: str, number: int) -> Outgoing:
    """Return the n-th event of a visitor."""
    line = {"type": "click", "visitor_id": visitor, "event_id": f"{visitor}-{number}"}
    return Outgoing("shop", visitor, json.dumps(line).encode())


def event_ids(records: Iterable[ConsumerRecord]) -> dict[str, list[str]]:
    """Return each visitor's event ids in the log's order, each id once: the place of its first.

    Fails where an id comes again with other contents.
    """
    first: dict[str, bytes] = {}
    found: dict[str, list[str]] = defaultdict(list)
    for record in records:
        for line in record.value.split(b"\n"):
            event = json.loads(line)
            if event["type"] == "__tick":
                continue
            seen = first.setdefault(event["event_id"], line)
            assert seen == line
            if seen is line:
                found[event["visitor_id"]].append(event["event_id"])
    return found


def assert_nothing_lost(load: Load, records: Iterable[ConsumerRecord]) -> None:
    """Every acknowledged event is there, in its visitor's order.

    One more may be: it was written, and the answer was lost on its way.
    """
    found = event_ids(records)
    for visitor, done in load.acknowledged.items():
        ids = found[visitor]
        assert ids[:done] == [f"{visitor}-{n}" for n in range(done)]
        assert len(ids) <= done + 1
