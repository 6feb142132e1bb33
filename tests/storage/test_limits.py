"""A question that costs more than one answer may is told so; it is nobody's mistake."""

from collections.abc import Iterator

import pytest

from services.common.clickhouse import ClickHouse, open_storage
from services.common.clickhouse_address import address_of
from services.common.clickhouse_async import AsyncClickHouse
from services.common.errors import InvalidError, TooMuchError, UnavailableError
from tests.support.clickhouse_http import clickhouse_over_http

FEW = {"max_rows_to_read": 1_000}
MANY = "SELECT count() AS n FROM (SELECT number FROM numbers(5000) WHERE number % 2 = 0)"


@pytest.fixture(scope="module")
def address(chdb_dsn: str) -> Iterator[str]:
    with clickhouse_over_http(chdb_dsn.removeprefix("chdb://")) as found:
        yield f"{found}/default"


@pytest.fixture
def storage(address: str) -> Iterator[ClickHouse]:
    made = open_storage(address, create=False, settings=FEW)
    yield made
    made.close()


def test_rows_beyond_the_limit_are_not_read(storage: ClickHouse) -> None:
    with pytest.raises(TooMuchError, match="shorten the range"):
        storage.query(MANY)
    assert storage.query("SELECT 1 AS n") == [{"n": 1}]


def test_one_client_s_limits_bind_no_other(storage: ClickHouse, address: str) -> None:
    with pytest.raises(TooMuchError):
        storage.query(MANY)
    other = open_storage(address, create=False)
    assert other.query(MANY) == [{"n": 2500}]
    other.close()


async def test_without_a_thread_the_answers_and_refusals_are_the_same(address: str) -> None:
    asked = AsyncClickHouse(address_of(address), FEW, 2)
    try:
        both = {"one": "it's \\ a\ttab", "many": ["ü", ""]}
        sql = "SELECT {one:String} AS one, {many:Array(String)} AS many"
        assert await asked.query(sql, both) == [both]
        with pytest.raises(TooMuchError):
            await asked.query(MANY)
        with pytest.raises(InvalidError, match="UNKNOWN_IDENTIFIER"):
            await asked.query("SELECT nonsense")
    finally:
        await asked.close()


async def test_a_server_that_is_not_there_is_unavailable_without_a_thread() -> None:
    asked = AsyncClickHouse(address_of("http://127.0.0.1:1/db"), {}, 1)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        await asked.query("SELECT 1")
    await asked.close()


@pytest.mark.parametrize("dsn", ["mysql://user:geheim@x/db", "user:geheim@x"])
def test_no_message_shows_a_password(dsn: str) -> None:
    with pytest.raises(InvalidError) as refused:
        open_storage(dsn)
    assert "geheim" not in str(refused.value)
