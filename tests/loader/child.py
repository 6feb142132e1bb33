"""``waymark loader`` without its server, as a process that a test may kill."""

import asyncio
import sys

import msgspec

from services.common.settings import load
from tests.support.loading import loading


async def _forever(settings: dict[str, str]) -> None:
    async with loading(load(environ={}, overrides=settings)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_forever(msgspec.json.decode(sys.argv[1], type=dict[str, str])))
