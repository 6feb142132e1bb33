"""The hops of a distributed installation where brokers say nothing: told in time, and let go of."""

import asyncio
import re
import socket

import pytest
from aiokafka.errors import KafkaError

from services.common.clock import SystemClock
from services.metrics_api import health, hops
from services.metrics_api.group_lag import GroupLag
from services.metrics_api.hops import TopicHops
from tests.deploy.files import COMPOSE, workloads
from tests.support.kafka import settings_for


async def test_a_broker_that_hangs_is_a_note_and_nobody_waits_for_it() -> None:
    with socket.socket() as hung:  # a stopped process: its system still takes connections
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        address = f"127.0.0.1:{hung.getsockname()[1]}"
        made = TopicHops(settings_for(address), patience_s=0.1)
        try:
            for _ in range(2):
                log, reads = await made.hops()
                assert (log.name, log.trouble, reads.trouble) == ("log", "", "")
                assert log.note == f"Kafka at {address} does not answer in 0.1 s"
        finally:
            await made.close()


async def test_what_fails_to_connect_leaves_nothing_running() -> None:
    taken: list[asyncio.StreamWriter] = []

    def hang_up_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        if len(taken) == 1:
            writer.close()

    async with await asyncio.start_server(hang_up_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        before = asyncio.all_tasks()
        groups = GroupLag(settings_for(f"127.0.0.1:{port}"), SystemClock())
        with pytest.raises(KafkaError):
            await groups.look("readers", ["log"])
        assert asyncio.all_tasks() == before
        for writer in taken:
            writer.close()


def test_health_is_answered_before_any_probe_of_ours_gives_up() -> None:
    (compose,) = re.findall(r"8081/readyz', timeout=(\d+)", COMPOSE.read_text())
    probes = {work["metadata"]["name"]: one["readinessProbe"] for work, one in workloads()}
    given = min(int(compose), probes["metrics-api"]["timeoutSeconds"])
    assert max(health.PATIENCE_SECONDS, hops.PATIENCE_SECONDS) < given
