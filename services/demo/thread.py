"""The simulated shop beside a running installation, in a thread of its own."""

import asyncio
import threading

import httpx
import msgspec

from services.common import logging
from services.common.catalog import Catalog
from services.common.catalog_rows import SHORT_TIMES, Source
from services.common.ports import Clock
from services.demo.shop import CURRENCY, SITE
from services.demo.traffic import Traffic

NAME = "demo"
JOIN_S = 5.0


def demo_key(catalog: Catalog) -> str:
    """Make the demo's source where it is missing, and a write key for this start alone."""
    source = catalog.source(NAME) or Source(name=NAME)
    host = SITE.removeprefix("https://")
    catalog.put_source(
        msgspec.structs.replace(
            source, demo=True, currency=CURRENCY, hosts=(host,), policy=SHORT_TIMES
        )
    )
    for key in catalog.write_keys():
        if key.source == NAME and key.revoked_ms is None:
            catalog.revoke_key(key.id)
    return catalog.create_key(NAME)[1]


class Demo:
    """Sends until stopped. It uses the HTTP API alone, as any storefront does."""

    def __init__(self, url: str, catalog: Catalog, clock: Clock) -> None:
        """Prepare to send to a running installation."""
        self._url = url
        self._key = demo_key(catalog)
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="demo", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send no more; what was not sent is forgotten, for it never happened."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def join(self) -> None:
        """Wait for the request under way."""
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        self._loop.run_until_complete(self._send())

    async def _send(self) -> None:
        # Another seed at each start: the same shoppers twice would repeat their orders.
        seed = self._clock.now_ms()
        logging.get("demo").info("simulating a shop", source=NAME, seed=seed)
        async with httpx.AsyncClient(base_url=self._url) as client:
            await Traffic(client, self._key, self._clock, seed).run(self._stop)
