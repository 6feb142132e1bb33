"""Erasure as far as the metrics API reaches: storage. ADR 9 tells of log and states."""

import asyncio
from collections.abc import Callable
from typing import Any

from services.common.ports import Storage
from services.loader.erase import erase


class StorageForget:
    """The ``Forget`` port on storage, one erasure at a time."""

    def __init__(self, storage: Callable[[], Storage]) -> None:
        """Erase in this storage, as a user who may delete."""
        self._storage = storage
        self._lock = asyncio.Lock()

    async def forget(
        self, source: str, *, visitor_id: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Erase one visitor, or one user with what is linked to it; return what went, by table."""
        async with self._lock:
            return await asyncio.to_thread(self._erase, source, visitor_id, user_id)

    def _erase(self, source: str, visitor_id: str, user_id: str) -> dict[str, Any]:
        return {**erase(self._storage(), source, visitor_id=visitor_id, user_id=user_id)}
