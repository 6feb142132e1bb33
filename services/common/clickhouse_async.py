"""Questions to a ClickHouse server from an event loop: nothing waits in a thread.

Only for ``http(s)://``: the embedded engine is asked from threads (``clickhouse.ClickHouse``).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import clickhouse_connect

from services.common.clickhouse import (
    READ_SECONDS,
    SETTINGS,
    decoded,
    patient,
)
from services.common.clickhouse_address import Address, options
from services.common.clickhouse_errors import named_errors, opening


class AsyncClickHouse:
    """Connects at the first question. Raises what ``ClickHouse`` does."""

    def __init__(self, address: Address, settings: Mapping[str, Any], pool: int) -> None:
        """Ask this server over ``pool`` connections at most; nothing is connected yet."""
        self._address = address
        self._settings = {**SETTINGS, **settings}
        self._pool = pool
        self._lock = asyncio.Lock()
        self._client: Any = None

    async def query(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Run one statement with bound parameters and return its rows by column name."""
        client = await self._connected()
        with named_errors(sql):
            raw = await client.raw_query(sql, parameters=parameters, fmt="JSONEachRow")
        return decoded(raw)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _connected(self) -> Any:
        async with self._lock:
            if self._client is None:
                with opening(self._address):
                    self._client = await clickhouse_connect.get_async_client(
                        **options(self._address, patient(READ_SECONDS)),
                        database=self._address.database,
                        settings=dict(self._settings),
                        connector_limit=self._pool,
                        connector_limit_per_host=self._pool,
                    )
            return self._client
