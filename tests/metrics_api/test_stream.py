"""The stream of signals: as made, resumed with nothing lost or doubled, slow clients cut off."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest

from schemas.rows import SignalRow
from services.metrics_api.follow import Follower
from services.metrics_api.stream import Place, Question, Stream, place_of, with_keep_alive
from tests.metrics_api.conftest import NOW, READ_SHOP, World, uid

Chunk = dict[str, Any]
AWAY = NOW << 20
"""An id from before anything in these tests was made."""


def parsed(raw: bytes) -> Chunk:
    """Return a server-sent event's fields; a comment's text under ``""``."""
    fields = dict(line.split(": ", 1) for line in raw.decode().strip().split("\n"))
    if "data" in fields:
        fields["data"] = msgspec.json.decode(fields["data"])
    return fields


def place(after: int | str | None) -> Place | None:
    return None if after is None else place_of(str(after))


class Client:
    """One follower of the stream, without HTTP between, so that time stays in the test's hands."""

    def __init__(self, chunks: AsyncGenerator[bytes]) -> None:
        self._chunks = chunks

    async def next(self) -> Chunk | None:
        """Return the next event, None at the end of the stream."""
        async with asyncio.timeout(10):
            raw = await anext(self._chunks, b"")
        return parsed(raw) if raw else None

    async def signals(self, count: int) -> list[Any]:
        """Return the next signals' ids."""
        found = [await self.next() for _ in range(count)]
        return [chunk["data"]["signal_id"] for chunk in found if chunk]


@asynccontextmanager
async def opened(
    world: World,
    after: int | str | None = None,
    settings: dict[str, Any] | None = None,
    **asked: Any,
) -> AsyncIterator[Client]:
    """Open a stream and take its greeting."""
    app = world.app(**(settings or {}))
    chunks = Stream(app.state.parts, Question("shop", **asked), place(after)).chunks()
    client = Client(chunks)
    greeting = await client.next()
    assert greeting is not None
    assert greeting["retry"] == "2000"
    try:
        yield client
    finally:
        await chunks.aclose()


def tell(world: World, row: SignalRow) -> None:
    world.feed.tell(msgspec.json.encode(row))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for has no event to set
            await asyncio.sleep(0.005)


async def test_a_signal_is_sent_as_it_is_made(world: World) -> None:
    async with opened(world) as client:
        row = world.signal(1, store=False, value=1299, currency="KWD")
        tell(world, row)
        chunk = await client.next()
    assert chunk is not None
    assert chunk["id"] == f"{row.version}.{row.signal_id}"
    assert chunk["data"]["value"] == "1.299"
    assert chunk["data"]["settled"] is True


async def test_a_client_that_never_got_a_signal_can_resume_too(world: World) -> None:
    chunks = Stream(world.app().state.parts, Question("shop"), None).chunks()
    greeting = parsed(await anext(chunks))
    await chunks.aclose()
    world.signal(1)
    async with opened(world, after=greeting["id"]) as client:
        assert await client.signals(1) == [uid(1)]


async def test_what_was_made_while_away_comes_first_in_order(world: World) -> None:
    rows = [world.signal(number) for number in range(1, 6)]
    async with opened(world, after=rows[1].version) as client:
        assert await client.signals(3) == [uid(3), uid(4), uid(5)]
        newer = world.signal(6, store=False)
        tell(world, newer)
        # Until storage has it, it may not be sent: something older could still be on its way.
        world.insert("signals", msgspec.json.encode(newer))
        assert await client.signals(1) == [uid(6)]


async def test_what_is_on_its_way_to_storage_is_neither_lost_nor_doubled(world: World) -> None:
    """The feed gives 4 before storage has 2 and 3: the client must get 1, 2, 3, 4, 5, once each."""
    rows = {number: world.signal(number, store=False) for number in range(1, 6)}
    world.insert("signals", msgspec.json.encode(rows[1]))
    async with opened(world, after=AWAY) as client:
        assert await client.signals(1) == [uid(1)]
        tell(world, rows[4])
        waiting = asyncio.create_task(client.signals(4))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        world.insert("signals", *(msgspec.json.encode(rows[n]) for n in (2, 3, 4)))
        tell(world, rows[5])
        assert await waiting == [uid(2), uid(3), uid(4), uid(5)]


async def test_many_reconnects_under_load_get_everything_once(world: World) -> None:
    """A client that drops after every third signal while they are made, stored late."""
    made = [world.signal(number, store=False) for number in range(1, 31)]
    got: list[int] = []

    async def make() -> None:
        for row in made:
            tell(world, row)
            await asyncio.sleep(0.002)
            await asyncio.to_thread(world.insert, "signals", msgspec.json.encode(row))

    making = asyncio.create_task(make())
    last: int | str = AWAY
    while len(got) < len(made):
        async with opened(world, after=last) as client:
            for _ in range(min(3, len(made) - len(got))):
                chunk = await client.next()
                assert chunk is not None
                last = chunk["id"]
                got.append(chunk["data"]["version"])
    await making
    assert got == [row.version for row in made]


async def test_more_than_one_batch_is_caught_up(world: World) -> None:
    rows = [world.signal(number, store=False) for number in range(1, 1202)]
    world.insert("signals", *(msgspec.json.encode(row) for row in rows))
    async with opened(world, after=AWAY) as client:
        assert await client.signals(1201) == [row.signal_id for row in rows]


async def test_what_a_rebuild_states_under_one_version_is_resumed_inside_it(world: World) -> None:
    version = world.version()
    rows = [world.signal(n, store=False, version=version) for n in range(1, 1002)]
    world.insert("signals", *(msgspec.json.encode(row) for row in rows))
    got: list[str] = []
    last: int | str = AWAY
    while len(got) < len(rows):
        async with opened(world, after=last) as client:
            for _ in range(min(700, len(rows) - len(got))):
                chunk = await client.next()
                assert chunk is not None
                last = chunk["id"]
                got.append(chunk["data"]["signal_id"])
    assert sorted(got) == [row.signal_id for row in rows]


async def test_a_retraction_is_sent_with_the_id_it_takes_back(world: World) -> None:
    async with opened(world) as client:
        tell(world, world.signal(1, store=False))
        tell(world, world.signal(1, store=False, retracted=True))
        first, second = await client.next(), await client.next()
    assert first is not None
    assert second is not None
    assert (first["data"]["retracted"], second["data"]["retracted"]) == (False, True)
    assert first["data"]["signal_id"] == second["data"]["signal_id"]


async def test_only_what_is_asked_for_is_sent(world: World) -> None:
    wanted = {"kind": "bounce", "visitor_id": "v7", "cart_id": uid(3)}
    asked: dict[str, Any] = {"kinds": frozenset({"bounce"}), "visitor_id": "v7", "cart_id": uid(3)}
    unwanted: list[dict[str, Any]] = [
        {"source": "rival"},
        {"kind": "converted"},
        {"visitor_id": "v8"},
        {"cart_id": uid(4)},
        {"bot": True},
        {"excluded": True},
    ]
    for stored in (True, False):
        async with opened(world, after=world.version() if stored else None, **asked) as client:
            for number, other in enumerate(unwanted):
                row = world.signal(number, store=stored, **(wanted | other))
                tell(world, row)
            tell(world, world.signal(99, store=stored, **wanted))
            assert await client.signals(1) == [uid(99)]


async def test_unsettled_signals_are_marked_have_no_id_and_come_once(world: World) -> None:
    unsettled = world.signal(1, store=False)
    world.live.unsettled = [msgspec.to_builtins(unsettled)]
    async with opened(world, live=True) as client:
        chunk = await client.next()
        assert chunk is not None
        assert chunk["data"]["settled"] is False
        assert "id" not in chunk
        await asyncio.sleep(0.1)
        settled = world.signal(1, store=False)
        tell(world, settled)
        again = await client.next()
    assert again is not None
    assert (again["data"]["settled"], again["id"]) == (True, f"{settled.version}.{uid(1)}")


async def test_unsettled_signals_are_only_for_those_who_ask(world: World) -> None:
    world.live.unsettled = [msgspec.to_builtins(world.signal(1, store=False))]
    async with opened(world) as client:
        tell(world, world.signal(2, store=False))
        assert await client.signals(1) == [uid(2)]


async def test_a_slow_client_is_cut_off_counted_and_resumes(world: World) -> None:
    rows = [world.signal(number) for number in range(1, 7)]
    async with opened(world, settings={"stream_queue": 3}) as client:
        tell(world, rows[0])
        first = await client.next()
        for row in rows[1:]:
            tell(world, row)
        await until(lambda: len(world.feed) == 0)
        assert await client.next() is None
    assert b"waymark_stream_cut_total 1.0" in world.metrics.expose()
    assert first is not None
    async with opened(world, after=first["id"]) as client:
        assert await client.signals(5) == [uid(number) for number in range(2, 7)]


async def test_a_quiet_stream_shows_that_it_lives(world: World) -> None:
    stream = Stream(world.app().state.parts, Question("shop"), None)
    chunks = with_keep_alive(stream.chunks(), 0.05)
    greeting, comment = await anext(chunks), await anext(chunks)
    tell(world, world.signal(1, store=False))
    later = await anext(chunks)
    while later == comment:
        later = await anext(chunks)
    await chunks.aclose()
    assert greeting.startswith(b"retry")
    assert comment == b": alive\n\n"
    assert uid(1).encode() in later
    assert len(world.feed) == 0


async def test_streams_end_when_the_service_stops(world: World) -> None:
    app = world.app()
    chunks = Stream(app.state.parts, Question("shop"), None).chunks()
    await anext(chunks)
    app.state.parts.followers.close()
    assert await anext(chunks, b"end") == b"end"
    assert len(app.state.parts.followers) == 0


async def test_a_feed_that_ends_ends_the_stream(world: World) -> None:
    async with opened(world) as client:
        world.feed.tell(None)
        assert await client.next() is None


async def test_a_follower_waits_no_longer_than_it_is_told() -> None:
    with pytest.raises(TimeoutError):
        await Follower(1).next(0.01)


# over HTTP


async def ended(world: World, last: str, **headers: str) -> httpx.Response:
    """Ask for a stream over HTTP and end it from within once it has sent what is to be last."""
    app = world.app()

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def tell(message: Any) -> None:
            await send(message)
            if last.encode() in message.get("body", b""):
                app.state.parts.followers.close()

        await app(scope, receive, tell)

    transport = httpx.ASGITransport(watched)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        return await client.get("/v1/signals/stream", headers=headers)


async def test_over_http_it_is_an_event_stream_that_resumes(world: World) -> None:
    first, second = world.signal(1), world.signal(2)
    asking = {"Authorization": f"Bearer {READ_SHOP}", "Last-Event-ID": str(first.version)}
    answer = await ended(world, uid(2), **asking)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert f"id: {second.version}.{uid(2)}\ndata: " in answer.text
    assert uid(1) not in answer.text


async def test_a_client_that_stopped_reading_is_let_go(world: World) -> None:
    app = world.app(stream_stall_s=0.1)
    stuck = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await stuck.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await stuck.wait()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": "/v1/signals/stream",
        "query_string": b"",
        "headers": [],
    }
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    assert b"waymark_stream_cut_total 1.0" in world.metrics.expose()
    assert len(app.state.parts.followers) == 0


async def test_an_id_the_stream_never_gave_is_refused(world: World) -> None:
    async with world.client() as client:
        for wrong in ("abc", "-5", "9" * 30, "5.abc"):
            answer = await client.get("/v1/signals/stream", headers={"Last-Event-ID": wrong})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


async def test_a_stream_of_another_source_is_refused(world: World) -> None:
    async with world.client(READ_SHOP) as client:
        answer = await client.get("/v1/signals/stream", params={"source": "rival"})
    assert answer.status_code == 403
