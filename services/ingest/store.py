"""What makes a request's events and refusals durable, and counts them once they are."""

import asyncio
from collections.abc import Awaitable

import msgspec

from schemas.event import Event
from services.common.catalog import Catalog
from services.common.catalog_rows import Grant
from services.common.errors import OverloadedError, RetryableError
from services.common.ports import DeadLetters, Outgoing, Publisher
from services.ingest.answers import retry_later
from services.ingest.budget import Lease
from services.ingest.intake import Batch
from services.ingest.tally import Tally


class Store:
    """The log and the dead letters behind one request's verdict."""

    def __init__(
        self,
        publisher: Publisher,
        dead_letters: DeadLetters,
        catalog: Catalog,
        tally: Tally,
    ) -> None:
        """Take the two ports, the catalog that remembers who sends orders, and the counts."""
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._catalog = catalog
        self._tally = tally

    async def save(self, grant: Grant, batch: Batch, lease: Lease) -> None:
        """1. hold what will wait, 2. write log and dead letters, 3. count.

        Returns when a crash can no longer lose any of it. Raises the 429 or 503 refusal; then the
        client must send all of it again, and what was written already is a known repeat.
        """
        source = grant.source.name
        held = sum([len(event.line) for event in batch.events])
        lease.hold(held + batch.letter_bytes() if batch.letters else held)
        try:
            await self._write(batch.events, batch)
        except OverloadedError as error:
            raise retry_later("overloaded", "the log is behind; come again shortly") from error
        except RetryableError as error:
            raise retry_later("unavailable", "the log cannot take events now") from error
        self._note_orders(grant, batch)
        self._count(source, batch)

    async def _write(self, items: list[Outgoing], batch: Batch) -> None:
        if not batch.letters:
            if items:
                await self._publisher.publish(items)
        elif not items:
            await self._dead_letters.keep(batch.letters)
        else:
            await _both(self._publisher.publish(items), self._dead_letters.keep(batch.letters))

    def _note_orders(self, grant: Grant, batch: Batch) -> None:
        if not batch.may_order or grant.source.server_orders or grant.key.kind != "server":
            return
        if any(map(_is_order, batch.events)):
            self._catalog.note_server_order(grant.source.name)

    def _count(self, source: str, batch: Batch) -> None:
        if batch.events:
            self._tally.accepted(source, len(batch.events))
        for letter in batch.letters:
            self._tally.refused(source, letter.code)


def _is_order(event: Outgoing) -> bool:
    """Tell whether a line is an order's; it is read only where it can be one."""
    if b'"purchase"' not in event.line:
        return False
    return msgspec.json.decode(event.line, type=Event).type == "purchase"


async def _both(*writes: Awaitable[object]) -> None:
    """Wait for all, so that nothing is under way when the answer goes; raise the first error."""
    for result in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
