"""Who is turned away at the connection: the answer is the same, and the connection goes on."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from uvicorn.server import ServerState

from services.common.catalog import Catalog
from services.common.hosts import Receive, Scope, Send
from services.common.metrics import Metrics
from services.common.settings import load
from services.ingest.answers import Answer, reply
from services.ingest.door import door
from services.ingest.gate import CROWD, FULL, Gate
from services.ingest.kafka_publisher import KafkaPublisher
from tests.support.clock import ManualClock

BODY = b'{"type":"page_view"}'
KAFKA = {"WAYMARK_KAFKA": "127.0.0.1:1"}
"""Named, never asked: no publisher here is started."""
LITTLE = 16 * 1024
"""So many bytes wait in sockets at most: what nobody reads piles up soon."""
WAIT = 60.0
COUNTED = 'waymark_ingest_requests_total{code="overloaded",status="429"}'


class Client:
    """One connection, and the gate it comes to."""

    def __init__(
        self,
        gate: Gate,
        catalog: Catalog,
        metrics: Metrics,
        connections: set[Any],
        *,
        reader: asyncio.StreamReader,
        out: asyncio.StreamWriter,
    ) -> None:
        self._gate = gate
        self._catalog = catalog
        self._go_on = asyncio.Event()
        self._others: list[asyncio.Future[None]] = []
        self.metrics = metrics
        self.connections = connections
        self.reader = reader
        self._out = out

    async def fill(self) -> None:
        """Have as many others under way as can be served, and the loop behind."""
        app = self._gate.before(self._waits)
        self._others = [asyncio.ensure_future(app({}, _never, _never)) for _ in range(CROWD)]
        await asyncio.sleep(0)
        self._gate.pulse.behind = True

    def break_catalog(self) -> None:
        """Have the gate's question for the day's salt fail as nothing should."""
        self._catalog.close()

    async def free(self) -> None:
        """Have all others answered, and the loop keep up."""
        self._gate.pulse.behind = False
        self._go_on.set()
        await asyncio.gather(*self._others)
        self._go_on.clear()

    async def _waits(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        await self._go_on.wait()

    def queued(self) -> int:
        """Return how many requests wait behind others on their connection."""
        return sum(len(one.pipeline) for one in self.connections)

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self._out.write(part)

    async def ended(self) -> bool:
        """Wait until the server ends the connection; tell whether it said nothing before."""
        return await asyncio.wait_for(self.reader.read(), 60) == b""

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer: status, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body


def post(path: str = "/v1/events", *more: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "host: shop", f"content-length: {len(BODY)}", *more)
    return "\r\n".join((*lines, "", "")).encode() + BODY


async def _never(*_: object) -> Any:
    raise AssertionError("who waits reads nothing and is told nothing")


async def _app(_scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await reply(send, Answer(200, body))


@contextlib.asynccontextmanager
async def connected(folder: Path, keep_alive: int = 60) -> AsyncIterator[Client]:
    settings, clock, metrics = load(environ=KAFKA), ManualClock(), Metrics()
    catalog = Catalog(folder / "catalog.db", clock)
    gate = Gate(KafkaPublisher(settings), catalog, clock, metrics)
    connection = door(gate)
    config = uvicorn.Config(
        _app, http=connection, lifespan="off", log_config=None, timeout_keep_alive=keep_alive
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    made = partial(connection, config=config, server_state=state, app_state={})
    loop = asyncio.get_running_loop()
    async with await loop.create_server(made, "127.0.0.1", 0) as server:
        server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LITTLE)
        port = server.sockets[0].getsockname()[1]
        reader, out = await asyncio.open_connection("127.0.0.1", port)
        out.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
        client = Client(gate, catalog, metrics, state.connections, reader=reader, out=out)
        try:
            yield client
        finally:
            await client.free()
            out.close()
            await out.wait_closed()
            async with asyncio.timeout(WAIT):
                while state.connections:  # noqa: ASYNC110 - the server's side of it tells nobody
                    await asyncio.sleep(0.001)
    catalog.close()


async def test_who_is_turned_away_is_told_when_to_come_again_and_is_let_in_then(
    tmp_path: Path,
) -> None:
    async with connected(tmp_path) as client:
        await client.fill()
        client.send(post())
        status, headers, body = await client.answer()
        assert (status, headers["date"]) == (429, "today")
        assert int(headers["retry-after"]) >= 1
        assert headers["content-type"] == "application/json"
        assert msgspec.json.decode(body)["code"] == "overloaded"
        assert body == FULL.body
        await client.free()
        client.send(post())
        assert (await client.answer())[::2] == (200, BODY)
        await client.fill()
        client.send(post())
        assert (await client.answer())[0] == 429
        assert f"{COUNTED} 2.0" in client.metrics.expose().decode()


async def test_a_body_that_comes_after_the_refusal_is_no_request(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.fill()
        head, _, _ = post().partition(BODY)
        client.send(head)
        assert (await client.answer())[0] == 429
        await client.free()
        client.send(BODY, post())
        assert (await client.answer())[::2] == (200, BODY)


HEAD, _, _ = post().partition(BODY)


@pytest.mark.parametrize("before", [b"", post()], ids=["first", "second"])
async def test_who_leaves_in_the_middle_of_a_head_does_not_stay(
    tmp_path: Path, before: bytes
) -> None:
    async with connected(tmp_path, keep_alive=1) as client:
        client.send(before)
        if before:
            assert (await client.answer())[0] == 200
        client.send(HEAD[:30])
        assert await client.ended()


async def test_who_leaves_in_the_middle_of_a_refused_body_does_not_stay(tmp_path: Path) -> None:
    async with connected(tmp_path, keep_alive=1) as client:
        await client.fill()
        client.send(HEAD)
        assert (await client.answer())[0] == 429
        client.send(BODY[:5])
        assert await client.ended()


async def test_who_is_owed_an_answer_stays(tmp_path: Path) -> None:
    async with connected(tmp_path, keep_alive=0) as client:
        client.send(HEAD + BODY[:5])
        while not any(one.cycle for one in client.connections):  # noqa: ASYNC110 - tells no one
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)  # whatever was to end the connection has
        client.send(BODY[5:])
        assert (await client.answer())[::2] == (200, BODY)


async def test_requests_sent_behind_one_another_are_all_answered_in_turn(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        client.send(post())
        await asyncio.sleep(0)
        await client.fill()
        client.send(post(), post())
        answers = [(await client.answer())[0] for _ in range(3)]
        assert set(answers) <= {200, 429}
        await client.free()
        client.send(post())
        assert (await client.answer())[::2] == (200, BODY)


async def test_a_connection_that_is_to_end_ends_with_the_refusal(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.fill()
        client.send(post("/v1/events", "connection: close"))
        status, headers, _ = await client.answer()
        assert (status, headers["connection"]) == (429, "close")
        assert await client.reader.read() == b""


async def test_what_stores_nothing_is_answered_at_any_time(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.fill()
        client.send(b"GET /v1/events HTTP/1.1\r\nhost: shop\r\n\r\n")
        assert (await client.answer())[0] == 200
        for path in ("/healthz", "/v1/events-of-others"):
            client.send(post(path))
            assert (await client.answer())[0] == 200


async def test_answers_that_nobody_reads_do_not_pile_up(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        await client.fill()
        (server,) = client.connections
        most = 0
        for _ in range(100):
            client.send(post() * 200)
            await asyncio.sleep(0)
            most = max(most, server.transport.get_write_buffer_size())
        assert {(await client.answer())[0] for _ in range(20_000)} == {429}
        assert most < 1024 * 1024
        await client.free()
        client.send(post())
        assert (await client.answer())[::2] == (200, BODY)


async def test_a_gate_that_fails_makes_no_bad_request_of_a_good_one(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        client.break_catalog()
        client.send(post())
        assert (await client.answer())[0] == 200  # of the application, which has no gate here


async def test_what_is_no_request_is_refused_in_the_one_shape(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        client.send(b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: shop\r\n\r\n")
        status, headers, body = await client.answer()
        assert (status, headers["connection"]) == (400, "close")
        told = msgspec.json.decode(body)
        assert told["code"] == "invalid_request"
        assert "64 KB" in told["message"]
        assert await client.reader.read() == b""


async def test_what_one_client_sends_ahead_of_its_answers_does_not_pile_up(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        many = 20_000
        client.send(post() * many)
        most = 0
        for _ in range(many):
            assert (await client.answer())[::2] == (200, BODY)
            most = max(most, client.queued())
        assert 0 < most < many / 4
