"""The Faust app: membership of the group, assignment and fetching. What it fetches goes to owners.

One agent reads the log with concurrency 1: with more, a record could be passed over. The topic is
declared without acks: Faust acknowledges by itself what it skips around a rebalance, and an offset
committed past a record that was never folded would lose it. The owners say how far they have
applied, once a second, and a record is folded only where nothing before it is missing.

The log is read uncommitted on purpose. Forwards come in the transactions of other workers; one that
is aborted is made again with the same ids, and a repeat is dropped. Read committed, one stopped
worker would hold up every partition it has written to.
"""

import asyncio
import time
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.types import TP

from services.common import logging
from services.common.kafka import METADATA_MS, client_options, worker_group
from services.common.settings import Settings
from services.common.topics import topic_name
from services.sessionizer.owner import Owner
from services.sessionizer.owners import Owners
from services.sessionizer.table import OnFatal, OwnersTable

SESSION_SECONDS = 10
HEARTBEAT_SECONDS = 2
REBALANCE_SECONDS = 60
"""A restore must fit: a million states took 8 CPU-seconds here, and a worker restores a share."""
REQUEST_SECONDS = 90
COMMIT_SECONDS = 1.0
COMMIT_PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 10.0
BREATH_SECONDS = 0.02
NEVER = 10.0**9


def make_app(settings: Settings, owners: Owners, on_fatal: OnFatal) -> "tuple[faust.App, Reader]":
    """Return an app that feeds the owners from the log, and its reader; nothing runs yet."""
    app = _app(settings)
    events = app.topic(topic_name(settings, "events"), **RAW, acks=False)
    _table(app, settings, owners, on_fatal)
    reader = Reader(app, settings, owners)

    @app.on_partitions_revoked.connect
    async def freeze(*_: Any, **_options: Any) -> None:
        await loudly(owners.freeze(), on_fatal)
        await owners.tell(reader.commit)

    @app.agent(events, concurrency=1, name="sessionizer")
    async def fold(stream: Any) -> None:
        async for event in stream.noack().events():
            await loudly(reader.take(event.message), on_fatal)

    return app, reader


def _app(settings: Settings) -> faust.App:
    options = client_options(settings)
    return faust.App(
        worker_group(settings),
        broker=";".join(f"kafka://{server}" for server in options["bootstrap_servers"]),
        broker_credentials=_credentials(options),
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_rebalance_timeout=REBALANCE_SECONDS,
        broker_request_timeout=REQUEST_SECONDS,
        broker_commit_livelock_soft_timeout=NEVER,  # the owners commit, and health watches them
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA_MS,
        datadir=settings.data / "faust",
        producer_linger_ms=0,
        store="memory://",
        stream_processing_timeout=NEVER,  # no stream reads the changelog; it would be warned of
        stream_wait_empty=False,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


RAW: dict[str, Any] = {
    "key_type": bytes,
    "value_type": bytes,
    "key_serializer": "raw",
    "value_serializer": "raw",
}


def _table(app: Any, settings: Settings, owners: Owners, on_fatal: OnFatal) -> None:
    app.tables.add(
        OwnersTable(
            app,
            source=topic_name(settings, "events"),
            owners=owners,
            on_fatal=on_fatal,
            name="states",
            partitions=settings.kafka_partitions,
            changelog_topic=app.topic(
                topic_name(settings, "states"),
                partitions=settings.kafka_partitions,
                **RAW,
            ),
        )
    )


def _credentials(options: dict[str, Any]) -> Any:
    tls = options.get("ssl_context")
    if options["security_protocol"].startswith("SASL"):
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=tls,
        )
    return None if tls is None else faust.SSLCredentials(tls)


async def loudly(work: Any, on_fatal: OnFatal) -> None:
    """Do the work; what it raises is fatal, since Faust would acknowledge and go on."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - unknown is fatal
        on_fatal(error)


class Reader:
    """Brings records to their owners, and tells the group how far they are applied."""

    def __init__(self, app: Any, settings: Settings, owners: Owners) -> None:
        """Read this app's log."""
        self._app = app
        self._settings = settings
        self._owners = owners
        self._topic = topic_name(settings, "events")
        self._breathed_at = 0.0

    async def take(self, message: Any) -> None:
        """Have a record folded by its partition's owner, unless that cannot be now.

        What is left out while the group rebalances comes again: Faust seeks to the group's offset.
        """
        owner = self._owners.live(message.partition)
        if owner is None:
            return
        if not owner.sure and not await self._is_next(owner, message.offset):
            return
        if await owner.room_for(message.value):
            owner.take(message.offset, round(message.timestamp * 1000), message.value)
        await self._breathe()

    async def _breathe(self) -> None:
        """Let the loop turn: while records lie ready, an agent would never wait by itself."""
        if time.monotonic() - self._breathed_at > BREATH_SECONDS:
            await asyncio.sleep(0)
            self._breathed_at = time.monotonic()

    async def _is_next(self, owner: Owner, offset: int) -> bool:
        """Tell whether no record lies between the owner's last and this one; if so, it is sure.

        After a rebalance Faust reads on from the group's offset, which is never beyond what is
        applied, unless somebody has moved it. Then it is moved back.
        """
        if offset > owner.last + 1:
            first = await self._first(owner.number, owner.last + 1)
            if first < offset:
                logging.get("sessionizer").warning(
                    "the group's offset was past what is applied; reading again",
                    partition=owner.number,
                    applied=owner.last,
                    found=offset,
                )
                await self._app.consumer.seek(TP(self._topic, owner.number), first)
                return False
        if owner.frozen:
            return False
        owner.sure = True
        return True

    async def _first(self, number: int, after: int) -> int:
        """Return the offset of the first record there is from this offset on."""
        tp = TopicPartition(self._topic, number)
        looker = AIOKafkaConsumer(
            **client_options(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await looker.start()
        try:
            looker.assign([tp])
            looker.seek(tp, after)
            async with asyncio.timeout(LOOK_SECONDS):
                while (found := int((await looker.getone(tp)).offset)) < after:
                    pass  # read before the seek was heard of
            return found
        finally:
            await looker.stop()

    async def commit(self, offsets: dict[int, int]) -> bool:
        """Tell the group from which offset on each partition is to be read again; return if heard.

        Only a hint for whoever owns it next: the truth is in the partition's meta. So a rebalance
        does not wait long for it.
        """
        told = {TP(self._topic, number): offset for number, offset in offsets.items()}
        try:
            async with asyncio.timeout(COMMIT_PATIENCE_SECONDS):
                # Faust's own way to the broker; its public one knows of acknowledged records only.
                return bool(await self._app.consumer._commit(told))  # noqa: SLF001
        except TimeoutError:
            return False
