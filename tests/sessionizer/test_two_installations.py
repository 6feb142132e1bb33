"""Two installations in one cluster, apart by their prefix alone: neither knows of the other."""

import asyncio
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from services.common.kafka import client_options, worker_group
from services.common.settings import Settings
from tests.sessionizer.street import street, visit
from tests.sessionizer.told import exact
from tests.sessionizer.workers import Worker, crew
from tests.support.commands import Commands
from tests.support.kafka import settings_for


async def groups(settings: Settings) -> set[str]:
    """Return the names of all consumer groups in the cluster."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        return {name for name, _ in await admin.list_consumer_groups()}
    finally:
        await admin.close()


def owns(worker: Worker, every: set[int]) -> None:
    worker.eventually(lambda: worker.partitions() == every, "the owner of all")


async def test_each_installations_worker_owns_all_of_its_own_partitions(
    commands: Commands, kafka: str, tmp_path: Path
) -> None:
    one, other = settings_for(kafka), settings_for(kafka)
    assert one.kafka_group == other.kafka_group
    (tmp_path / "other").mkdir()
    with crew(commands, one, tmp_path) as ones, crew(commands, other, tmp_path / "other") as others:
        async with street(one) as here, street(other) as there:
            workers = [ones.hire(), others.hire()]
            every = set(range(one.kafka_partitions))
            for worker in workers:
                await asyncio.to_thread(owns, worker, every)
            await here.send(*visit(1), *visit(3))
            await there.send(*visit(2))
            await exact(one, here.sent)
            await exact(other, there.sent)
            assert [worker.partitions() for worker in workers] == [every, every]
            for worker in workers:
                assert await asyncio.to_thread(worker.stop) == 0, worker.text()[-3000:]
    assert {worker_group(one), worker_group(other)} <= await groups(one)
