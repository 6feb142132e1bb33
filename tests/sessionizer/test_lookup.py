"""Look-ups from outside: within a second of the event, summed over workers, 503 while moving."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from schemas.ids import cart_id
from services.common.errors import MovingError
from services.common.settings import Settings
from services.sessionizer.core.codec import Codec
from services.sessionizer.lookup import RemoteLive
from tests.sessionizer.street import Street, does, now_ms, street, visit
from tests.sessionizer.told import eventually
from tests.sessionizer.workers import crew
from tests.support.commands import Commands


async def clock_or_none(live: RemoteLive) -> int | None:
    try:
        return await live.clock_ms()
    except MovingError:
        return None


async def test_the_owner_answers_for_each_visitor_and_all_of_them_together(
    commands: Commands, kafka_settings: Settings, tmp_path: Path
) -> None:
    async with street(kafka_settings) as here, RemoteLive(kafka_settings) as live:
        with pytest.raises(MovingError):
            await live.visitor("shop", "v1")
        with crew(commands, kafka_settings, tmp_path) as hands:
            hands._policy.write_text("")  # nobody may be declared gone while the test runs
            first, second = hands.hire(), hands.hire()
            for worker in (first, second):
                await asyncio.to_thread(worker.wait_ready)
            shared = lambda: {len(first.partitions()), len(second.partitions())} == {2}  # noqa: E731
            await asyncio.to_thread(second.eventually, shared, "shared")
            await eventually(lambda: clock_or_none(live), "answered")

            asked = [await _seconds_until_seen(here, live, f"w{n}") for n in range(10)]
            assert sorted(asked)[5] < 1.0, asked

            await here.send(*[event for n in range(12) for event in visit(n)])
            await eventually(lambda: _carts(live), "carts are open")
            stages = await live.live_visitors("shop")
            assert sum(stages.values()) >= 12
            assert await live.live_visitors("another") == dict.fromkeys(stages, 0)
            assert await live.has_open_session("shop", "v0")
            assert not await live.has_open_session("shop", "nobody")
            assert await live.visitor("shop", "nobody") is None
            carts = [
                await live.cart("shop", f"v{n}", cart_id("shop", f"v{n}", f"v{n}-2"))
                for n in (2, 3)
            ]
            assert [cart and cart["outcome"] for cart in carts] == ["open", "converted"]
            assert await live.cart("shop", "nobody", cart_id("shop", "nobody", "-")) is None
            state = await live.live_state("shop", "v2")
            assert state is not None
            settled, waiting = Codec().decode_unsettled(state, "shop", "v2")
            assert settled.visitor is not None or len(waiting) == len(visit(2))
            assert await live.live_state("shop", "nobody") is None
            assert abs(now_ms() - await live.clock_ms()) < 30_000

            answer = await _from_the_wrong_worker(first.url, second.url)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert await asyncio.to_thread(second.stop) == 0
            second.close()
            await eventually(lambda: clock_or_none(live), "taken over")
            assert await asyncio.to_thread(first.stop) == 0
            with pytest.raises(MovingError):
                await live.open_carts("shop")


async def _seconds_until_seen(here: Street, live: RemoteLive, visitor: str) -> float:
    await here.send(does("page_view", visitor, path="/", page_kind="home"))
    began = time.monotonic()
    await eventually(lambda: live.visitor("shop", visitor), "seen")
    return time.monotonic() - began


async def _carts(live: RemoteLive) -> bool:
    return await live.open_carts("shop") >= 3


async def _from_the_wrong_worker(*urls: str) -> httpx.Response:
    """Ask both for one visitor; one of them does not own it."""
    async with httpx.AsyncClient() as http:
        answers = [
            await http.get(f"{url}/v1/live/visitor", params={"source": "shop", "visitor_id": "v1"})
            for url in urls
        ]
    assert sorted(answer.status_code for answer in answers) == [200, 503]
    return max(answers, key=lambda one: one.status_code)
