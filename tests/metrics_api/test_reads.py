"""Questions to a server wait on the event loop: no thread is held while storage thinks."""

import asyncio
from typing import Any

from services.common.clickhouse import ClickHouse
from services.common.errors import InvalidError, UnavailableError
from services.metrics_api.store import THREADS
from tests.metrics_api.conftest import Away, World

MANY = 3 * THREADS


class Together:
    """Storage whose first answers come only when so many have asked."""

    def __init__(self, storage: ClickHouse) -> None:
        self._storage = storage
        self._all_here = asyncio.Barrier(MANY)
        self._asked = 0

    async def query(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        self._asked += 1
        if self._asked <= MANY:
            await self._all_here.wait()
        return self._storage.query(sql, parameters)


class Refusing:
    """Storage that takes no statement."""

    async def query(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        raise InvalidError("syntax error near SELECT secret")


async def test_more_metrics_wait_for_a_server_than_there_are_threads(world: World) -> None:
    world.closed(1, page_views=1, bounced=True)
    world.reads = Together(world.storage)
    world.storage = Away(UnavailableError("nobody waits in a thread"))  # type: ignore[assignment]
    names = ("sessions", "stage_sessions", "revenue_net", "causes") * MANY
    async with world.client() as client, asyncio.timeout(60):
        answers = await asyncio.gather(
            *(client.get(f"/v1/metrics/{name}", params={"source": "shop"}) for name in names[:MANY])
        )
    assert [answer.status_code for answer in answers] == [200] * MANY
    assert answers[0].json()[0]["value"] == 1


async def test_a_statement_that_a_server_refuses_is_our_own_fault(world: World) -> None:
    world.reads = Refusing()
    async with world.client() as client:
        answer = await client.get("/v1/metrics/sessions", params={"source": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
