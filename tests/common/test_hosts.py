import pytest

from services.common.hosts import Message, Receive, Scope, Send, guard_hosts


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "reached"})


async def nothing() -> Message:
    return {"type": "http.request"}


async def ask(listens_on: str, *hosts: str, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    guarded = guard_hosts(app, listens_on, ["Shop.example", "[fd00::1]"])
    scope = {"type": kind, "headers": [(b"host", host.encode()) for host in hosts]}
    await guarded(scope, nothing, send)
    return sent


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1:8080",
        "[::1]:8080",
        "shop.localhost",
        "shop.example",
        "shop.example.:8080",
        "[fd00::1]:8080",
    ],
)
async def test_our_own_names_pass_on_loopback(host: str) -> None:
    assert await ask("127.0.0.1", host) == [{"type": "reached"}]


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        ":8080",
        "me@localhost",
        "localhost:secret@evil.example",
        "evil@shop.localhost",
        "[::1",
        "[::1]evil.example",
        "localhost:8080:9",
        "localhost/evil.example",
    ],
)
async def test_a_foreign_name_is_refused_on_loopback(listens_on: str, host: str) -> None:
    start, body = await ask(listens_on, host)
    assert start["status"] == 400
    assert b'"code":"invalid_host"' in body["body"]


async def test_no_host_and_two_hosts_are_refused() -> None:
    assert (await ask("127.0.0.1"))[0]["status"] == 400
    assert (await ask("127.0.0.1", "localhost", "evil.example"))[0]["status"] == 400


async def test_a_foreign_websocket_is_closed() -> None:
    assert await ask("::1", "evil.example", kind="websocket") == [
        {"type": "websocket.close", "code": 1008}
    ]


async def test_lifespan_passes_and_other_addresses_are_not_guarded() -> None:
    assert await ask("127.0.0.1", kind="lifespan") == [{"type": "reached"}]
    assert await ask("0.0.0.0", "evil.example") == [{"type": "reached"}]
