"""Nobody is told that a shopper left while her order may still be on its way through the log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from schemas.rows import SignalRow
from services.common.ports import Told
from services.metrics_api.holding import LAG_MS, SLACK_MS, Gate, Held
from services.metrics_api.stream import Question, Stream
from services.metrics_api.topic_stream import TopicStream
from services.sessionizer.core.policy import SourceRules
from tests.metrics_api.conftest import NOW, World, uid
from tests.metrics_api.test_stream import AWAY, Client, place, tell
from tests.support.clock import ManualClock
from tests.support.reads import MemoryLive

GRACE_MS = SourceRules().policy.time.grace_ms
SETTLED_MS = GRACE_MS + SLACK_MS


class Shop:
    """A gate over a log whose clock the test moves."""

    def __init__(self, live: MemoryLive, clock: ManualClock, gate: Gate | None = None) -> None:
        self.live = live
        self.clock = clock
        self.gate = gate or Gate(live, clock, lambda _: SourceRules())

    async def behind(self, lag_ms: int = LAG_MS + 1) -> None:
        """Begin to watch while the log is behind."""
        self.live.clock = self.clock.now_ms() - lag_ms
        watching = asyncio.create_task(self.gate.watch())
        await asyncio.sleep(0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def pass_ms(self, by_ms: int, lag_ms: int = 0) -> None:
        """Let time pass, the log so far behind; then look."""
        self.clock.move(by_ms)
        self.live.clock = self.clock.now_ms() - lag_ms
        await self.gate.look()


def shop() -> Shop:
    return Shop(MemoryLive(NOW), ManualClock(NOW))


def signal(kind: str = "cart_abandoned", number: int = 1, version: int = 1) -> SignalRow:
    row = {"source": "shop", "visitor_id": "v", "signal_id": uid(number), "kind": kind}
    return msgspec.convert(row | {"at_ms": NOW, "emitted_ms": NOW, "version": version}, SignalRow)


def taken_back(row: SignalRow) -> SignalRow:
    return msgspec.structs.replace(row, version=row.version + 1, retracted=True)


async def test_an_abandonment_waits_until_what_was_sent_on_has_settled() -> None:
    one = shop()
    await one.behind()
    await one.pass_ms(60_000, lag_ms=LAG_MS + 1)
    await one.pass_ms(SETTLED_MS - 1)
    assert one.gate.holds(signal())
    await one.pass_ms(1)
    assert not one.gate.holds(signal())


async def test_a_lag_within_the_limit_holds_nothing_back() -> None:
    one = shop()
    await one.behind(0)
    await one.pass_ms(SETTLED_MS, lag_ms=LAG_MS)
    assert not one.gate.holds(signal())


async def test_what_an_order_would_not_take_back_is_told_at_once() -> None:
    one = shop()
    await one.behind()
    kinds = ("converted", "stage_entered", "bounce", "cart_recovered", "slow_page")
    assert not [kind for kind in kinds if one.gate.holds(signal(kind))]
    assert not one.gate.holds(taken_back(signal()))
    assert one.gate.holds(signal("checkout_abandoned"))
    assert one.gate.holds(signal("cart_lost"))


async def test_a_log_nobody_can_ask_is_behind() -> None:
    one = shop()
    await one.behind(0)
    one.live.moving = True
    await one.pass_ms(SETTLED_MS)
    assert one.gate.holds(signal())


async def test_what_was_looked_at_too_long_ago_is_not_known() -> None:
    one = shop()
    await one.behind(0)
    await one.pass_ms(SETTLED_MS)
    assert not one.gate.behind
    one.clock.move(LAG_MS + 1)
    assert one.gate.holds(signal())
    assert one.gate.behind


def told(held: Held) -> list[tuple[str, str]]:
    """Take what may be told: kind and place, no kind where only the place is told."""
    return [(row.kind if row else "", place) for row, place in held.take()]


async def test_what_comes_after_what_waits_comes_after_it() -> None:
    one = shop()
    await one.behind()
    held = Held(one.gate, 1)
    held.put(signal("bounce", 1), "0")
    held.put(signal("cart_lost", 2), "1")
    assert (told(held), held.full) == ([("bounce", "0")], False)
    held.put(signal("bounce", 3), "2")
    assert (told(held), held.full) == ([], True)
    await one.pass_ms(SETTLED_MS)
    assert told(held) == [("cart_lost", "1"), ("bounce", "2")]


async def test_what_is_taken_back_before_it_was_told_is_not_told() -> None:
    one = shop()
    await one.behind()
    held, gone = Held(one.gate, 3), signal()
    held.put(gone, "0")
    held.put(signal("converted", 2), "1")
    assert told(held) == []
    held.put(taken_back(gone), "2")
    assert told(held) == [("", "0"), ("converted", "1"), ("", "2")]


@asynccontextmanager
async def followed(
    world: World, after: int | None = None, queue: int = 1_000
) -> AsyncIterator[tuple[Client, Shop]]:
    """Open a stream while the log is behind."""
    app = world.app(stream_queue=queue)
    one = Shop(world.live, world.clock, app.state.parts.gate)
    await one.behind()
    chunks = Stream(app.state.parts, Question("shop"), place(after)).chunks()
    client = Client(chunks)
    await client.next()
    try:
        yield client, one
    finally:
        await chunks.aclose()


async def test_a_buyer_is_not_told_of_though_the_log_was_behind(world: World) -> None:
    async with followed(world) as (client, one):
        gone, stays = (world.signal(number, store=False) for number in (1, 2))
        back = taken_back(msgspec.structs.replace(gone, version=stays.version))
        for row in (gone, stays):
            tell(world, row)
        tell(world, back)
        assert await client.next() == {"id": f"{gone.version}.{gone.signal_id}"}
        await one.pass_ms(SETTLED_MS)
        assert await client.signals(1) == [uid(2)]
        assert await client.next() == {"id": f"{back.version}.{back.signal_id}"}


async def test_who_comes_back_waits_too_and_is_not_told_either(world: World) -> None:
    bounced = world.signal(1, kind="bounce")
    gone = world.signal(2)
    async with followed(world, after=AWAY) as (client, _):
        assert await client.signals(1) == [bounced.signal_id]
        back = taken_back(gone)
        world.insert("signals", msgspec.json.encode(back))
        assert await client.next() == {"id": f"{gone.version}.{gone.signal_id}"}
        assert await client.next() == {"id": f"{back.version}.{back.signal_id}"}


async def test_a_client_for_whom_too_much_waits_is_cut_off(world: World) -> None:
    async with followed(world, queue=2) as (client, _):
        for number in range(1, 5):
            tell(world, world.signal(number, store=False))
        assert await client.next() is None
    assert b"waymark_stream_cut_total 1.0" in world.metrics.expose()


class Topic:
    """A log of signals that tells where it begins, and nothing else."""

    mark = "t."

    async def follow(self, after: str, since_ms: int | None) -> AsyncGenerator[Told]:
        del after, since_ms
        yield Told("t.begin", b"")
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def moved(world: World, queue: int) -> AsyncIterator[tuple[Client, Shop]]:
    """Open a stream of the topic for a client that has an id from before there was one."""
    parts = world.app(stream_queue=queue).state.parts
    one = Shop(world.live, world.clock, parts.gate)
    await one.behind()
    chunks = TopicStream(parts, Topic(), Question("shop"), place(AWAY)).chunks()
    client = Client(chunks)
    assert (await client.next()) == {"retry": "2000"}
    try:
        yield client, one
    finally:
        await chunks.aclose()


async def test_the_topics_place_is_told_after_what_storage_alone_has(world: World) -> None:
    bounced = world.signal(1, kind="bounce")
    gone = world.signal(2)
    async with moved(world, 10) as (client, one):
        assert await client.signals(1) == [bounced.signal_id]
        after = asyncio.create_task(client.next())
        await asyncio.sleep(0)
        await one.pass_ms(SETTLED_MS)
        chunk = await after
        assert chunk is not None
        assert chunk["data"]["signal_id"] == gone.signal_id
        assert await client.next() == {"id": "t.begin"}


async def test_who_is_cut_off_before_that_is_not_told_the_topics_place(world: World) -> None:
    for number in range(1, 5):
        world.signal(number)
    async with moved(world, 2) as (client, _):
        assert await client.next() is None
    assert b"waymark_stream_cut_total 1.0" in world.metrics.expose()
