"""The catalog's topic: followed by a thread of its own, and written by one process at a time.

A write is compare-and-set. Its producer has the transactional id of the topic, so that starting it
fences any other writer; then the topic is read to its end, and what follows from that is written
in one transaction. Whoever was fenced looks first whether anything is left to write, then waits
its turn, longer each time, and begins again. So two processes never make two peppers, nor two salts
of one day, and parts that all start at once come through one by one.
"""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from services.common import logging
from services.common.errors import UnavailableError
from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import topic_name
from services.common.topics_made import ensure_topics

Changes = Mapping[str, bytes | None]
"""Keys with their new values; None takes a key away."""

OPEN_SECONDS = 60.0
WRITE_SECONDS = 10.0
POLL_MS = 250
PAUSE_SECONDS = 0.1
TURN_SECONDS = 2.0
"""Whoever was fenced waits up to this long for its turn, less after the first times."""
CHORE_SECONDS = 1.0
CANCEL_SECONDS = 1.0


class CatalogLink:
    """Follows the topic. ``on_record`` is called in the link's thread, in the topic's order."""

    def __init__(
        self,
        settings: Settings,
        on_record: Callable[[ConsumerRecord], None],
        chore: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Describe it; ``chore`` is awaited in the link's thread after each look at the topic."""
        self._settings = settings
        self._on_record = on_record
        self._chore = chore
        self._partition = TopicPartition(topic_name(settings, "catalog"), 0)
        self._position = 0
        self._reader: Any = None
        self._opened: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_know_fenced)
        self._thread = threading.Thread(target=self._run, name="catalog", daemon=True)
        self._log = logging.get("catalog")

    # -- from any thread

    def open(self) -> None:
        """Read the topic to its end; raises ``UnavailableError`` where Kafka does not answer."""
        self._thread.start()
        try:
            self._opened.result(OPEN_SECONDS)
        except FutureTimeoutError as error:
            self.close()
            raise UnavailableError(f"Kafka did not tell the catalog in {OPEN_SECONDS} s") from error
        except BaseException:  # Ctrl-C too: nobody else could end the thread
            self.close()
            raise

    def write(self, make: Callable[[], Changes], seconds: float = WRITE_SECONDS) -> None:
        """Store what ``make`` returns; it is called with all that was written before applied.

        On return the change is durable and applied here. Raises ``UnavailableError`` where that
        takes longer than so many seconds.
        """
        done = asyncio.run_coroutine_threadsafe(self.write_here(make, seconds), self._loop)
        try:
            done.result(seconds)
        except FutureTimeoutError as error:
            raise UnavailableError("the catalog's topic cannot be written now") from error
        finally:
            done.cancel()  # whoever is interrupted leaves nothing that goes on

    def close(self) -> None:
        """End the thread."""
        while self._thread.is_alive():
            # Again and again: below Python 3.12 what the client waits for can swallow it.
            with suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(CANCEL_SECONDS)

    # -- in the link's thread

    def _cancel(self) -> None:
        self._task.cancel()

    async def write_here(self, make: Callable[[], Changes], seconds: float = WRITE_SECONDS) -> None:
        """Do as ``write`` does, for the chore."""
        until, pause = time.monotonic() + seconds, PAUSE_SECONDS
        async with self._one:
            while True:
                try:
                    return await self._attempt(make)
                except KafkaError as error:  # fenced by another writer, or brokers away
                    if time.monotonic() > until:
                        raise UnavailableError(
                            f"the catalog cannot be written: {error!r}"
                        ) from error
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - a pause
                pause = min(2 * pause, TURN_SECONDS)

    async def _attempt(self, make: Callable[[], Changes]) -> None:
        await self._catch_up()
        if not make():  # nothing to write, or another wrote it: nobody need be fenced for that
            return
        producer = AIOKafkaProducer(
            **client_options(self._settings), transactional_id=self._partition.topic
        )
        try:
            await producer.start()  # fences whoever writes, and ends what it left open
            await self._catch_up()
            changes = make()
            if changes:
                await self._reach(await self._commit(producer, changes) + 1)
        finally:
            await producer.stop()

    async def _commit(self, producer: AIOKafkaProducer, changes: Changes) -> int:
        """Write the changes; return the offset of the last."""
        topic, number = self._partition
        try:
            await producer.begin_transaction()
            sent = [
                await producer.send(topic, value, key.encode(), partition=number)
                for key, value in changes.items()
            ]
            told = await asyncio.gather(*sent)
            await producer.commit_transaction()
        except AssertionError as error:  # how the client says that it was fenced meanwhile
            raise ProducerFenced from error
        last: int = max(one.offset for one in told)
        return last

    async def _catch_up(self) -> None:
        await self._reading.wait()
        ends = await self._reader.end_offsets([self._partition])
        await self._reach(ends[self._partition])

    async def _reach(self, offset: int) -> None:
        """Wait until all before an offset is applied here.

        What was committed just now may still lie beyond the end that readers of committed records
        are told: the brokers write the transaction's marker after they have answered.
        """
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= offset)

    def _run(self) -> None:
        self._task: asyncio.Task[None] = self._loop.create_task(self._follow())
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.get_loop().run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            except BaseException as error:
                if self._opened.done():
                    raise
                self._opened.set_exception(error)

    async def _follow(self) -> None:
        self._one = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._reading = asyncio.Event()
        await ensure_topics(self._settings, ["catalog"])
        telling = asyncio.ensure_future(self._tell())
        try:
            while True:
                try:
                    await self._read()
                except KafkaError as error:
                    self._log.warning("catalog is read anew", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    async def _read(self) -> None:
        """Read from where we stand, for as long as that goes well."""
        self._reader = AIOKafkaConsumer(
            **client_options(self._settings),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            await self._reader.start()
            self._reader.assign([self._partition])
            self._reader.seek(self._partition, self._position)
            self._reading.set()
            while True:
                await self._look()
        finally:
            self._reading.clear()
            await self._reader.stop()

    async def _look(self) -> None:
        for records in (await self._reader.getmany(timeout_ms=POLL_MS)).values():
            for record in records:
                self._on_record(record)
        async with self._moved:
            self._position = await self._reader.position(self._partition)
            self._moved.notify_all()

    async def _tell(self) -> None:
        """Say that all is read; then do the chore from time to time."""
        while not self._opened.done():
            try:
                await self._catch_up()
                self._opened.set_result(None)
            except KafkaError as error:
                self._log.warning("catalog is not read yet", error=repr(error))
                await asyncio.sleep(PAUSE_SECONDS)
        while self._chore is not None:
            try:
                await self._chore()
            except UnavailableError as error:
                self._log.warning("chore put off", error=str(error))
            await asyncio.sleep(CHORE_SECONDS)


def _know_fenced(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over what nobody awaits of a producer that was fenced: its attempt failed and is told.

    The client fails futures of its own then that it never reads.
    """
    if not isinstance(context.get("exception"), ProducerFenced):
        loop.default_exception_handler(context)
