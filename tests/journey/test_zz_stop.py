"""How parts end: told first, in time, with status 0; and do not begin where settings are wrong.

Last of the folder: it stops what the other tests share.
"""

import asyncio
import signal
import threading
import time
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.common.kafka import client_options
from services.common.settings import Settings
from services.common.topics import topic_name
from tests.journey.street import Both
from tests.support.commands import Commands
from tests.support.process import Part, eventually, free_port

PARTS = ("run", "ingest", "sessionizer", "loader", "metrics-api")
ON_KAFKA = PARTS[1:]
STOP_SECONDS = 10.0


@pytest.mark.parametrize("command", PARTS)
def test_an_unknown_setting_stops_the_start_by_name(commands: Commands, command: str) -> None:
    done = commands.run(command, WAYMARK_KAFKA_PARTITION="8")
    assert done.status == 2
    assert "unknown setting WAYMARK_KAFKA_PARTITION (kafka_partition in waymark.toml)" in done.err


@pytest.mark.parametrize("command", ON_KAFKA)
def test_topics_of_another_layout_stop_the_start_and_say_what_to_run(
    commands: Commands, kafka_settings: Settings, command: str
) -> None:
    asyncio.run(_topic_of_one_partition(kafka_settings))
    done = commands.run(
        command,
        WAYMARK_KAFKA=kafka_settings.kafka,
        WAYMARK_KAFKA_PREFIX=kafka_settings.kafka_prefix,
        WAYMARK_KAFKA_PARTITIONS="4",
        WAYMARK_CLICKHOUSE="http://127.0.0.1:1/never",
        WAYMARK_PORT=str(free_port()),
    )
    topic = topic_name(kafka_settings, "signals")
    assert done.status == 2, done.err
    assert topic in done.err, done.err
    assert "partitions" in done.err
    assert "Traceback" not in done.err


async def _topic_of_one_partition(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        topic = topic_name(settings, "signals")
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


class Watch:
    """Asks ``/readyz`` over and over, and keeps what it says before nobody answers."""

    def __init__(self, part: Part) -> None:
        self._url = f"{part.url}/readyz"
        self.told: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with httpx.Client(timeout=10) as http:
            while not self._stop.wait(0.02):
                try:
                    answer = http.get(self._url)
                except httpx.TransportError:
                    continue
                self.told.append((answer.status_code, answer.text))

    def finish(self) -> list[Any]:
        self._stop.set()
        self._thread.join(20)
        return self.told


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest, both: Both) -> Part:
    of = both.standalone if request.param == "run" else both.distributed
    return of.part(request.param)


def test_a_part_that_is_told_to_stop_says_so_first_and_ends_in_time(part: Part) -> None:
    eventually(part.ready, 60)
    watch = Watch(part)
    stream = _stream(part)
    try:
        eventually(lambda: watch.told, 30)
        began = time.monotonic()
        part.signal(signal.SIGTERM)
        status = part.wait()
        took = time.monotonic() - began
    finally:
        stream.close()
        told = watch.finish()
    assert status == 0, part.text()
    assert took < STOP_SECONDS, (took, part.text())
    refusals = [text for code, text in told if code == 503]
    assert any("shutting down" in text for text in refusals), told[-3:]


def _stream(part: Part) -> httpx.Client:
    """Follow the signals meanwhile, where the part has any: a stream must not hold the stop up."""
    client = httpx.Client(timeout=30)
    if part.command in {"run", "metrics-api"}:
        url = f"{part.url}/v1/signals/stream"
        request = client.build_request("GET", url, params={"source": "shop"})
        assert client.send(request, stream=True).status_code == 200
    return client
