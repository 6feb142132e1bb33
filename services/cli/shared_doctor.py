"""``waymark doctor`` on Kafka: the installation itself, whatever folder is named; nothing is made.

What needs the brokers is only looked at where they answer: else one finding says all.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable
from contextlib import closing
from typing import Any, TypeVar

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code

from schemas.spans import DAY_MS
from services.common.catalog_topic import open_catalog
from services.common.clickhouse import open_storage
from services.common.clock import SystemClock
from services.common.errors import RetryableError, UnavailableError
from services.common.kafka import client_options, loader_group, why, worker_group
from services.common.policy_file import policy_of
from services.common.settings import Settings
from services.common.topics_checked import wrong_topics
from services.metrics_api.hops import LOOK_SECONDS, TopicHops
from services.sessionizer.directory import Directory
from services.standalone.admin import queries
from services.standalone.admin.doctor import (
    Check,
    Verdict,
    guarded,
    keys_check,
    pipeline_check,
    settings_check,
    storage_check,
    told,
)

T = TypeVar("T")
BROKER_MS = 10_000
AGAIN_SECONDS = 0.2
WORKER_SECONDS = 5.0
LATE = "is one running (waymark sessionizer, waymark loader)? Then wait, or start more"
MISSING = "start waymark sessionizer, or wait while the partitions move"


def report(settings: Settings) -> dict[str, Any]:
    """Return doctor's report of the installation of these settings."""
    checks = [
        guarded("settings", lambda: settings_check(settings, policy_of(settings.policy))),
        guarded("brokers", lambda: _brokers(settings)),
    ]
    if checks[-1].verdict != "wrong":
        checks += _on_kafka(settings)
    checks += _on_storage(settings)
    return told(checks)


def _on_kafka(settings: Settings) -> Iterable[Check]:
    topics = guarded("topics", lambda: _topics(settings))
    yield topics
    if topics.verdict == "wrong":  # what reads them would wait, or make them
        return
    yield guarded("keys", lambda: _keys(settings))
    yield guarded("pipeline", lambda: _pipeline(settings))
    yield guarded("members", lambda: _members(settings))
    yield guarded("partitions", lambda: _partitions(settings))


def _on_storage(settings: Settings) -> Iterable[Check]:
    if not settings.clickhouse.startswith("http"):
        do = "set WAYMARK_CLICKHOUSE to http(s)://user:password@host:8123/db"
        yield Check("storage", "wrong", "WAYMARK_CLICKHOUSE names no server", do)
        return
    storage = guarded("storage", lambda: _storage(settings))
    yield storage
    if storage.verdict == "ok":
        yield guarded("dead letters", lambda: _letters(settings))


def _asked(settings: Settings, question: Coroutine[Any, Any, T]) -> T:
    """Return what the brokers are asked; that they do not answer is a finding in words."""
    try:
        return asyncio.run(question)
    except (KafkaError, OSError) as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka} does not answer: {why(settings, error)}"
        ) from error


def _brokers(settings: Settings) -> Check:
    async def ask() -> list[str]:
        options = client_options(settings)
        admin = AIOKafkaAdminClient(**options, request_timeout_ms=BROKER_MS)
        try:
            await admin.start()
            found = (await admin.describe_cluster())["brokers"]
            return [f"{one['host']}:{one['port']}" for one in found]
        finally:
            await admin.close()

    found = _asked(settings, ask())
    facts = {"brokers": found}
    if len(found) < settings.kafka_replication:
        wanted = f"WAYMARK_KAFKA_REPLICATION = {settings.kafka_replication}"
        message = f"brokers up: {len(found)}, and {wanted}"
        return Check("brokers", "note", message, "bring the others back", facts)
    return Check("brokers", "ok", f"brokers up: {len(found)}", "", facts)


def _topics(settings: Settings) -> Check:
    wrong = _asked(settings, wrong_topics(settings))
    if wrong:
        return Check(
            "topics", "wrong", "; ".join(wrong), "do as the message says", {"wrong": wrong}
        )
    return Check("topics", "ok", f"all topics {settings.kafka_prefix}.* are as they should be")


def _keys(settings: Settings) -> Check:
    clock = SystemClock()
    with closing(open_catalog(settings, clock)) as catalog:
        try:
            catalog.salts(clock.now_ms())
        except RetryableError as error:
            return Check("keys", "wrong", str(error), "start waymark ingest: it makes the salts")
        return keys_check(settings, catalog)


def _pipeline(settings: Settings) -> Check:
    async def look() -> Check:
        hops = TopicHops(settings, patience_s=LOOK_SECONDS)
        try:
            # A worker's place is behind what has settled, so as old as the grace at least.
            grace_ms = policy_of(settings.policy).time.grace_ms
            return pipeline_check(await hops.hops(), LATE, grace_ms)
        finally:
            await hops.close()

    return _asked(settings, look())


def _members(settings: Settings) -> Check:
    async def ask() -> dict[str, int]:
        admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=BROKER_MS)
        try:
            await admin.start()
            groups = {"sessionizer": worker_group(settings), "loader": loader_group(settings)}
            return {part: await _joined(admin, group) for part, group in groups.items()}
        finally:
            await admin.close()

    found = _asked(settings, ask())
    message = ", ".join(f"{part}: {count} members" for part, count in found.items())
    gone = [f"waymark {part}" for part, count in found.items() if not count]
    if gone:
        return Check("members", "wrong", message, f"start {' and '.join(gone)}", {"members": found})
    return Check("members", "ok", message, "", {"members": found})


async def _joined(admin: AIOKafkaAdminClient, group: str) -> int:
    """Return how many members a group has; 0 where there is none of this name."""
    until = time.monotonic() + BROKER_MS / 1_000
    while True:
        try:
            return await _members_of(admin, group)
        except KafkaError as error:  # its coordinator moves, or is being made
            if not error.retriable or time.monotonic() > until:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


async def _members_of(admin: AIOKafkaAdminClient, group: str) -> int:
    # One group a question: aiokafka reads the first of an answer, and loses its way in the next.
    (answer,) = await admin.describe_consumer_groups([group])
    code, _, _, _, _, members, *_ = answer.groups[0]
    if code:
        raise for_code(code)(f"group {group}")
    return len(members)


def _partitions(settings: Settings) -> Check:
    owned, other = _asked(settings, _owned(settings))
    missing = sorted(set(range(settings.kafka_partitions)) - set().union(*owned.values()))
    facts = {"workers": {url: sorted(mine) for url, mine in owned.items()}, "missing": missing}
    if missing:
        shown = ", ".join(map(str, missing))
        message = f"no worker answers for partitions {shown}"
        return Check("partitions", "wrong", message, MISSING, facts)
    if other:
        return Check("partitions", "wrong", other, "do as the message says", facts)
    return Check("partitions", "ok", f"all have an owner; workers: {len(owned)}", "", facts)


async def _owned(settings: Settings) -> tuple[dict[str, set[int]], str]:
    """Return the partitions that each announced worker answers for, and how its policy differs."""
    directory = Directory(settings)
    try:
        await directory.start()
        urls = sorted(set(directory.urls.values()))
        other = directory.differs(policy_of(settings.policy))
    finally:
        await directory.stop()
    async with httpx.AsyncClient(timeout=WORKER_SECONDS) as http:
        found = await asyncio.gather(*(_answers(http, url) for url in urls))
    return {url: mine for url, mine in zip(urls, found, strict=True) if mine}, other


async def _answers(http: httpx.AsyncClient, url: str) -> set[int]:
    try:
        answer = await http.get(f"{url}/v1/live/counts", params={"source": ""})
    except httpx.HTTPError:  # announced, and gone meanwhile: its partitions are told as missing
        return set()
    return {row["partition"] for row in answer.json()} if answer.is_success else set()


def _storage(settings: Settings) -> Check:
    cluster = settings.clickhouse_cluster
    with closing(open_storage(settings.clickhouse, create=False, cluster=cluster)) as storage:
        return storage_check(storage, cluster)


def _letters(settings: Settings) -> Check:
    cluster = settings.clickhouse_cluster
    since = {"since_ms": SystemClock().now_ms() - DAY_MS}
    with closing(open_storage(settings.clickhouse, create=False, cluster=cluster)) as storage:
        (facts,) = storage.query(queries.text("letters_count"), since)
    message = f"{facts['letters']:,} refused events, {facts['newest']:,} of them since a day ago"
    verdict: Verdict = "note" if facts["newest"] else "ok"
    do = "waymark dlq ls" if facts["newest"] else ""
    return Check("dead letters", verdict, message, do, facts)
