"""Shedding load where the event loop is the bottleneck: who is refused, and who is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from services.common.catalog import Catalog
from services.common.hosts import App, Message, Receive, Scope, Send
from services.common.metrics import Metrics
from services.common.settings import load
from services.ingest.answers import Answer, reply
from services.ingest.gate import CROWD, Gate
from services.ingest.kafka_publisher import KafkaPublisher
from services.ingest.pulse import (
    BEAT_SECONDS,
    BUSY_SECONDS,
    COUNT_SECONDS,
    LATE_SECONDS,
    PATIENCE_SECONDS,
    WARY_SECONDS,
    Pulse,
)
from tests.support.clock import ManualClock
from tests.support.hurry import hurried, now, work

KAFKA = {"WAYMARK_KAFKA": "127.0.0.1:1"}
"""Named, never asked: no publisher here is started."""
SCOPE = {"type": "http", "method": "POST", "path": "/v1/events"}
WAIT = 60.0


class Shop:
    """A gate before an application whose requests end when told to."""

    def __init__(self, folder: Path) -> None:
        settings, clock, metrics = load(environ=KAFKA), ManualClock(), Metrics()
        publisher = KafkaPublisher(settings)
        self.gate = Gate(publisher, Catalog(folder / "catalog.db", clock), clock, metrics)
        self.gate.pulse = Pulse(now)
        self.app: App = self.gate.before(self._serve)
        self.go_on = asyncio.Event()
        self.under_way: list[asyncio.Task[Message]] = []

    async def _serve(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self.go_on.wait()
        await reply(send, Answer(200, b"{}"))

    async def ask(self) -> Message:
        """Send one request; return how its answer begins, and its body."""
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body is read")

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(SCOPE, receive, send)
        return {**sent[0], "body": sent[1]["body"]}

    def begin(self, count: int) -> None:
        self.under_way += [asyncio.create_task(self.ask()) for _ in range(count)]


@asynccontextmanager
async def beating(folder: Path) -> AsyncIterator[Shop]:
    shop = Shop(folder)
    shop.gate.pulse.start()
    yield shop
    shop.gate.pulse.stop()
    shop.go_on.set()
    assert {(await one)["status"] for one in shop.under_way} == {200}


async def fall_behind(shop: Shop) -> None:
    """Keep the loop busy, as requests do that cost more than there is time."""
    async with asyncio.timeout(WAIT):
        while not shop.gate.pulse.behind:
            work(2 * LATE_SECONDS)
            await asyncio.sleep(0)


@hurried
async def test_where_the_loop_cannot_keep_up_who_comes_is_refused_and_who_waits_is_served(
    tmp_path: Path,
) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD)
        await fall_behind(shop)
        told = await shop.ask()
        headers = dict(told["headers"])
        assert told["status"] == 429
        assert int(headers[b"retry-after"]) >= 1
        assert msgspec.json.decode(told["body"])["code"] == "overloaded"


@hurried
async def test_once_the_loop_keeps_up_again_all_are_let_in(tmp_path: Path) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD)
        await fall_behind(shop)
        async with asyncio.timeout(WAIT):
            while shop.gate.pulse.behind:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        shop.begin(1)
        await asyncio.sleep(0)
        assert not shop.under_way[-1].done()


@hurried
async def test_while_somebody_is_refused_a_busy_loop_counts_as_behind_though_no_beat_is_late(
    tmp_path: Path,
) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD)
        await fall_behind(shop)
        until = now() + 1.5 * WARY_SECONDS
        while now() < until:
            async with asyncio.timeout(WAIT):
                assert (await shop.ask())["status"] == 429
            work(BEAT_SECONDS + 2 * BUSY_SECONDS)  # busy, and not late
            await asyncio.sleep(0)


@hurried
async def test_refusals_by_an_idle_loop_end_though_those_under_way_go_on_waiting(
    tmp_path: Path,
) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD)
        await fall_behind(shop)
        assert (await shop.ask())["status"] == 429
        async with asyncio.timeout(WAIT):
            while shop.gate.pulse.behind:
                shop.gate.pulse.refused = True  # as by whoever comes
                await asyncio.sleep(BEAT_SECONDS / 4)


@hurried
async def test_a_slow_half_second_does_not_let_fewer_in() -> None:
    pulse = Pulse(now)
    pulse.start()
    async with asyncio.timeout(WAIT):
        while not pulse.in_window:
            pulse.served += 100
            await asyncio.sleep(0.01)
        before = pulse.in_window
        await asyncio.sleep(1.2 * COUNT_SECONDS)  # in which nobody is served
    pulse.stop()
    assert pulse.in_window > before / 2


@hurried
async def test_a_late_loop_with_few_requests_refuses_none_of_them(tmp_path: Path) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD - 1)
        await fall_behind(shop)
        shop.begin(1)
        await asyncio.sleep(0)
        assert not shop.under_way[-1].done()


@hurried
async def test_one_long_pause_refuses_nobody(tmp_path: Path) -> None:
    async with beating(tmp_path) as shop:
        shop.begin(CROWD)
        work(2 * PATIENCE_SECONDS)  # as a machine does that swaps
        for _ in range(3):
            await asyncio.sleep(0)
        assert not shop.gate.pulse.behind
