"""What ClickHouse says of a failure: one sentence for who asks, all of it for the log."""

import asyncio
import socket

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

from services.common.clickhouse import ClickHouse
from services.common.clickhouse_address import address_of
from services.common.clickhouse_async import AsyncClickHouse
from services.common.clickhouse_errors import named_errors, opening
from services.common.errors import UnavailableError
from services.common.logging import STORAGE


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            OperationalError("HTTPConnectionPool(host='h'): Max retries exceeded with url: /?t=x"),
            "storage does not answer: does ClickHouse run?",
        ),
        (
            DatabaseError("HTTPDriver for http://h code 241, DB::Exception: MEMORY_LIMIT_EXCEEDED"),
            "storage cannot do this now: MEMORY_LIMIT_EXCEEDED",
        ),
        (
            DatabaseError("HTTP driver received HTTP status 502 from http://h/?t=x"),
            "storage cannot do this now: what stands before ClickHouse refuses",
        ),
    ],
)
def test_what_passes_is_one_sentence_and_the_rest_is_for_the_log(
    caplog: pytest.LogCaptureFixture, said: ClickHouseError, told: str
) -> None:
    caplog.set_level("WARNING", STORAGE)
    with pytest.raises(UnavailableError) as failed, named_errors("SELECT 1"):
        raise said
    assert str(failed.value) == told
    assert caplog.messages == [f"storage: {said} in: SELECT 1"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "Max retries exceeded with url: /?query_id=1",
            "nothing answers there; does ClickHouse run?",
        ),
        (
            "code 516\n Code: 516. DB::Exception: u: Authentication failed\nurl",
            "u: Authentication failed",
        ),
        (
            "HTTP driver received HTTP status 502, server response: bad",
            "what answers there is not ClickHouse, or stands before it: HTTP status 502",
        ),
    ],
)
def test_a_server_that_does_not_open_is_told_in_one_sentence(said: str, why: str) -> None:
    address = address_of("http://u:secret@h:8123/db")
    with pytest.raises(UnavailableError) as failed, opening(address):
        raise DatabaseError(said)
    assert str(failed.value) == f"storage at h:8123 does not open: {why}"


async def test_a_server_that_is_not_there_is_told_alike_without_a_thread() -> None:
    reads = AsyncClickHouse(address_of("http://u:secret@127.0.0.1:1/db"), {}, 1)
    with pytest.raises(UnavailableError) as failed:
        await reads.query("SELECT 1")
    assert str(failed.value) == (
        "storage at 127.0.0.1:1 does not open: nothing answers there; does ClickHouse run?"
    )


def test_a_name_that_is_not_known_is_told_apart_from_a_server_that_does_not_answer() -> None:
    with pytest.raises(UnavailableError) as failed, opening(address_of("http://u:s@h:8123/db")):
        raise OperationalError("Max retries") from socket.gaierror(-2, "Name or service not known")
    assert str(failed.value).endswith("open: its name is not known: Name or service not known")


async def test_an_https_address_is_asked_over_tls_on_any_port_and_told_where_that_fails() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1_024))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        address = address_of(f"https://u:secret@127.0.0.1:{port}/db")
        with pytest.raises(UnavailableError, match="open: TLS failed: "):
            await AsyncClickHouse(address, {}, 1).query("SELECT 1")
        with pytest.raises(UnavailableError, match="open: TLS failed: "):
            await asyncio.to_thread(ClickHouse(address).query, "SELECT 1")
    assert len(asked) > 1
    assert not any(b"HTTP" in said for said in asked), "a password would be sent unencrypted"
