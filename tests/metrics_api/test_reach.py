"""Nothing is called complete that the loader may still lack."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.loader.pace import ARRIVES_MS
from services.metrics_api.metric_query import settling
from services.metrics_api.topic_waits import TopicWaits
from services.sessionizer.core.policy import Time
from tests.metrics_api.conftest import HOUR, NOW, World
from tests.support.kafka import settings_for

SETTLING_MS = settling(Time())


class Watched:
    """An API that looks when the test says so, each time a second later."""

    def __init__(self, world: World, client: httpx.AsyncClient, parts: Any) -> None:
        self.world = world
        self.client = client
        self.parts = parts

    async def second(self, waits_ms: int | None) -> None:
        self.world.clock.move(1_000)
        self.world.live.clock += 1_000
        self.world.health.waits = waits_ms
        await self.parts.gate.look()
        await self.parts.reach.look()

    async def complete_to(self) -> int | None:
        """Return up to when a list has all; rows of metrics must say the same."""
        told: int | None = (await self.client.get("/v1/sessions")).json()["complete_to_ms"]
        for end, complete in ((told, True), (told + 1, False)) if told else ((NOW - HOUR, False),):
            asked = {"from": NOW - 2 * HOUR, "to": end}
            (row,) = (await self.client.get("/v1/metrics/sessions", params=asked)).json()
            assert row["complete"] is complete
        return told


@pytest.fixture
async def watched(world: World) -> AsyncIterator[Watched]:
    app = world.app()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Watched(world, client, app.state.parts)


async def test_a_loader_that_keeps_up_lets_the_logs_clock_decide(watched: Watched) -> None:
    for _ in range(10):
        await watched.second(2_500)
    assert await watched.complete_to() == watched.world.live.clock - SETTLING_MS


async def test_a_loader_that_is_held_back_holds_what_is_complete(watched: Watched) -> None:
    for _ in range(3):
        await watched.second(0)
    stored = watched.world.live.clock - 1_000
    for held in range(1, 26):
        await watched.second(held * 1_000 + 500)
    assert await watched.complete_to() == stored + ARRIVES_MS - SETTLING_MS
    await watched.second(None)
    assert await watched.complete_to() == stored + ARRIVES_MS - SETTLING_MS, "as last known"
    await watched.second(0)
    assert await watched.complete_to() == watched.world.live.clock - SETTLING_MS


async def test_rows_of_an_old_clock_that_were_written_just_now_are_waited_for(
    watched: Watched,
) -> None:
    watched.world.live.clock -= 30_000  # the fold is behind, as after a crash
    for _ in range(3):
        await watched.second(0)
    stored = watched.world.live.clock - 1_000
    watched.world.live.clock += 30_000  # and has caught up: its rows are young, and many
    for waits in (500, 1_500, 2_500):
        await watched.second(waits)
    assert await watched.complete_to() == stored + ARRIVES_MS - SETTLING_MS


async def test_of_what_waited_before_the_first_look_nothing_is_known(watched: Watched) -> None:
    for waits in (60_000, 61_000, 62_000):
        await watched.second(waits)
    assert await watched.complete_to() is None


async def test_brokers_that_hang_tell_nothing_of_what_waits() -> None:
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        waits = TopicWaits(settings_for(f"127.0.0.1:{hung.getsockname()[1]}"), patience_s=0.1)
        try:
            for _ in range(2):
                assert await waits.waits_ms() is None
            hung.setblocking(False)
            hung.accept()[0].close()
            with pytest.raises(BlockingIOError):
                hung.accept()  # asked once: the answer is kept
        finally:
            await waits.close()
