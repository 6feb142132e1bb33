"""A loader killed with -9 between its insert and its commit doubles nothing in any answer."""

import asyncio
import signal
import subprocess
import sys

import msgspec
from aiokafka.admin import AIOKafkaAdminClient

from services.common.clickhouse import ClickHouse, open_storage
from services.common.kafka import client_options, loader_group
from services.common.settings import Settings
from services.loader.migrate import migrate
from tests.metrics.shop import generate
from tests.support.clickhouse_http import ROOT, ClickHouseProcess
from tests.support.kafka import expel
from tests.support.loading import answers, fill, lines_of, loading, until, until_loaded

SHOP = generate(seed=21, visits=60)
TABLES = ("sessions", "carts", "orders", "signals", "events")


def start(settings: Settings) -> subprocess.Popen[bytes]:
    names = ("kafka", "kafka_prefix", "kafka_group", "clickhouse", "kafka_partitions")
    given = {name: str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", "tests.loader.child", msgspec.json.encode(given).decode()]
    return subprocess.Popen(command, cwd=ROOT)


def rows_stored(storage: ClickHouse) -> int:
    """Return all rows, every version and repeat of them."""
    parts = " UNION ALL ".join(f"SELECT count() AS n FROM {table}" for table in TABLES)
    (row,) = storage.query(f"SELECT sum(n) AS n FROM ({parts})")
    return int(row["n"])


async def committed(settings: Settings) -> bool:
    """Tell whether the loaders' group has committed anything."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        return bool(await admin.list_consumer_group_offsets(loader_group(settings)))
    finally:
        await admin.close()


async def test_killed_between_insert_and_commit_nothing_is_doubled(
    settings: Settings, server: ClickHouseProcess
) -> None:
    storage = open_storage(settings.clickhouse)
    migrate(storage)
    for table in TABLES:
        storage.command(f"SYSTEM STOP MERGES {table}")
    server.hold.touch()
    try:
        records = 0
        for _ in range(2):  # the second one inserts what the first one did, in another batch
            records += await fill(settings, lines_of(SHOP))
            loader = start(settings)
            before = rows_stored(storage)
            await until(lambda seen=before: rows_stored(storage) > seen)
            loader.send_signal(signal.SIGKILL)
            assert await asyncio.to_thread(loader.wait) == -signal.SIGKILL
            assert not await committed(settings)
            await expel(settings, loader_group(settings))
    finally:
        server.hold.unlink()
    async with loading(settings) as (last, _):
        await until_loaded(last, records)
        assert await committed(settings)
    plain = open_storage(settings.clickhouse, f"{settings.kafka_prefix}_plain")
    migrate(plain)
    SHOP.insert(plain)
    assert rows_stored(storage) > rows_stored(plain), "the rows were there more than once"
    assert answers(storage) == answers(plain)
    storage.close()
    plain.close()
