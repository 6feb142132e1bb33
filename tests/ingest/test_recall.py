"""Yesterday's nameless visitors: asked once, remembered, and never waited for."""

import asyncio

from services.common.errors import MovingError
from services.ingest.recall import OPEN_SECONDS, Recall


class Workers:
    def __init__(self) -> None:
        self.open = {("shop", "open")}
        self.asked: list[tuple[str, str]] = []
        self.away = False
        self.now = 0.0

    async def ask(self, source: str, visitor_id: str) -> bool:
        self.asked.append((source, visitor_id))
        if self.away:
            raise MovingError("partition 1 has no owner now")
        return (source, visitor_id) in self.open

    def recall(self) -> Recall:
        return Recall(self.ask, lambda: self.now)


async def test_what_is_not_known_is_learned_once() -> None:
    workers = Workers()
    recall = workers.recall()
    assert not await recall.learn()
    assert not recall("shop", "open")
    assert not recall("shop", "gone")
    assert await recall.learn()
    assert recall("shop", "open")
    assert not recall("shop", "gone")
    assert not await recall.learn()
    assert sorted(workers.asked) == [("shop", "gone"), ("shop", "open")]


async def test_an_open_session_is_asked_for_again_and_a_closed_one_never() -> None:
    workers = Workers()
    recall = workers.recall()
    for visitor in ("open", "gone"):
        recall("shop", visitor)
    await recall.learn()
    workers.open.clear()
    workers.now += OPEN_SECONDS + 1
    assert not recall("shop", "open")
    assert not recall("shop", "gone")
    assert await recall.learn()
    assert workers.asked.count(("shop", "open")) == 2
    assert workers.asked.count(("shop", "gone")) == 1


async def test_without_an_answer_a_visitor_begins_anew_and_stays_so() -> None:
    workers = Workers()
    recall = workers.recall()
    workers.away = True
    recall("shop", "open")
    assert await recall.learn()
    workers.away = False
    assert not recall("shop", "open")
    assert not await recall.learn()


async def test_requests_at_the_same_time_learn_each_their_own() -> None:
    workers = Workers()
    recall = workers.recall()
    recall("shop", "open")
    first = asyncio.ensure_future(recall.learn())
    await asyncio.sleep(0)
    recall("shop", "gone")
    assert await recall.learn()
    assert await first
    assert recall("shop", "open")
