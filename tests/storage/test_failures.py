"""What ClickHouse says of a failure: one sentence for who asks, all of it for the log."""

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError

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
    caplog.set_level("INFO", STORAGE)
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
