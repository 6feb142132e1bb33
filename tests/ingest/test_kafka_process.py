"""``waymark ingest`` as a real process on a real broker."""

import asyncio
import json
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from deploy.kafka.broker import Broker
from services.common.errors import UnavailableError
from services.common.settings import Settings
from services.common.topics_made import ensure_topics
from tests.support.commands import Commands
from tests.support.kafka import read_all, settings_for
from tests.support.kafka_load import Load, assert_nothing_lost
from tests.support.process import Part, eventually

WAIT = 120.0


class Ingest(Part):
    """One ingest and its key, on topics of a test."""

    def __init__(self, commands: Commands, settings: Settings) -> None:
        self.settings = settings
        self.key = ""
        environ = {
            "WAYMARK_KAFKA": settings.kafka,
            "WAYMARK_KAFKA_PREFIX": settings.kafka_prefix,
            "WAYMARK_KAFKA_PARTITIONS": settings.kafka_partitions,
        }
        super().__init__(commands, "ingest", environ)

    def run(self, *args: object, **environ: str) -> Any:
        """Run a command with this ingest's settings."""
        return self._commands.run(*args, **self.environ | environ)

    def make_key(self) -> str:
        self.run("sources", "set", "shop", "--currency", "EUR")
        self.key = self.run("keys", "create", "shop", "--json").json()["secret"]
        return self.key

    def why_not(self) -> str:
        """Return why it is not ready, as it tells balancers."""
        return str(self.http.get("/readyz").json().get("message", ""))

    def metric(self, name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", self.http.get("/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def post(self, event: Any, key: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return self.http.post("/v1/events", json=event, headers=headers)


def view(visitor: str, number: int) -> dict[str, Any]:
    return {"type": "click", "visitor_id": visitor, "event_id": f"{visitor}-{number}"}


class Shoppers:
    """Sends as a storefront does, over connections that it keeps."""

    def __init__(self, ingest: Ingest) -> None:
        self.statuses: dict[int, int] = {}
        self._http = httpx.AsyncClient(
            base_url=ingest.url,
            headers={"Authorization": f"Bearer {ingest.key}"},
            timeout=30,
            limits=httpx.Limits(max_connections=100),
        )

    async def send(self, visitor: str, number: int) -> None:
        try:
            answer = await self._http.post("/v1/events", json=view(visitor, number))
        except httpx.TransportError as error:
            raise UnavailableError(str(error)) from error
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        if answer.status_code != httpx.codes.OK:
            assert answer.status_code in {429, 503}, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["code"] in {"overloaded", "unavailable"}
            raise UnavailableError(answer.text)

    async def close(self) -> None:
        await self._http.aclose()


@pytest.fixture
def ingest(commands: Commands, kafka_settings: Settings) -> Iterator[Ingest]:
    made = Ingest(commands, kafka_settings)
    yield made
    made.close()


async def test_events_of_a_key_made_by_a_command_reach_the_log(ingest: Ingest) -> None:
    ingest.make_key()
    ingest.start()
    answer = ingest.post([view("v1", 0), view("v1", 1), {"type": "click"}])
    assert answer.status_code == httpx.codes.OK, answer.text
    body = answer.json()
    assert (body["received"], body["accepted"]) == (3, 2)
    lines = [
        json.loads(line)
        for one in await read_all(ingest.settings, "events")
        for line in one.value.split(b"\n")
    ]
    sent = [line["event_id"] for line in lines if line["type"] == "click"]
    assert sent == ["v1-0", "v1-1"]
    assert len(await read_all(ingest.settings, "dead-letters")) == 1
    metrics = ingest.http.get("/metrics").text
    assert re.search(r'events_total{outcome="accepted",source="shop"} 2.0', metrics), metrics
    assert "waymark_log_stuck_partitions 0.0" in metrics
    assert ingest.http.get("/healthz").json() == {"status": "ok"}

    listed = ingest.run("keys", "ls", "--json").json()
    ingest.run("keys", "revoke", listed[0]["id"])
    eventually(lambda: ingest.post(view("v1", 2)).status_code == httpx.codes.UNAUTHORIZED)
    assert ingest.stop() == 0, ingest.text()


async def test_a_wrong_topic_stops_the_start_and_says_what_to_run(ingest: Ingest) -> None:
    await ensure_topics(ingest.settings)
    done = ingest.run("ingest", WAYMARK_KAFKA_PARTITIONS="5")
    assert done.status == 2
    assert f"{ingest.settings.kafka_prefix}.events: partitions = 4, wanted 5" in done.err
    assert "WAYMARK_KAFKA_PARTITIONS=4" in done.err


def test_without_a_broker_to_name_there_is_no_start(commands: Commands) -> None:
    done = commands.run("ingest", WAYMARK_PORT="0")
    assert (done.status, "WAYMARK_KAFKA is empty" in done.err) == (2, True)


async def test_a_stop_under_load_says_so_first_and_loses_nothing(ingest: Ingest) -> None:
    await asyncio.to_thread(ingest.make_key)
    await asyncio.to_thread(ingest.start)
    shoppers = Shoppers(ingest)
    load = Load(shoppers.send, 30)
    load.start()
    await asyncio.wait_for(load.more(10), WAIT)
    balancer = asyncio.create_task(told_last(ingest.url))
    await asyncio.wait_for(load.more(1), WAIT)
    ingest.signal(signal.SIGTERM)
    told = await asyncio.wait_for(balancer, WAIT)
    assert told == {"code": "unavailable", "message": "the process is shutting down"}
    assert await asyncio.to_thread(ingest.wait) == 0, ingest.text()
    await asyncio.wait_for(load.stop(), WAIT)
    await shoppers.close()
    assert set(shoppers.statuses) == {200}, "who got in was served"
    assert_nothing_lost(load, _plain(await read_all(ingest.settings, "events")))


async def told_last(url: str) -> Any:
    """Ask whether the process is ready until it is gone; return its last answer."""
    told: Any = None
    async with httpx.AsyncClient(base_url=url, timeout=30) as balancer:
        with suppress(httpx.TransportError):
            while True:
                told = (await balancer.get("/readyz")).json()
    return told


def _plain(records: list[Any]) -> list[Any]:
    """Return the records with of each event only what the client sent: receipt times differ."""

    class Record:
        def __init__(self, value: bytes) -> None:
            self.value = value

    kept = ("type", "visitor_id", "event_id")
    found = []
    for one in records:
        events = [json.loads(line) for line in one.value.split(b"\n")]
        lines = [json.dumps({k: e[k] for k in kept if k in e}).encode() for e in events]
        found.append(Record(b"\n".join(lines)))
    return found


async def test_while_the_broker_is_away_clients_are_told_in_time_and_go_on_by_themselves(
    commands: Commands, victim: Broker
) -> None:
    ingest = Ingest(commands, settings_for(victim.address))
    try:
        await asyncio.to_thread(ingest.make_key)
        await asyncio.to_thread(ingest.start)
        shoppers = Shoppers(ingest)
        load = Load(shoppers.send, 30)
        load.start()
        await asyncio.wait_for(load.more(5), WAIT)
        await asyncio.to_thread(victim.kill)
        async with asyncio.timeout(WAIT):
            while shoppers.statuses.get(503, 0) < 100:  # noqa: ASYNC110 - they tell nobody
                await asyncio.sleep(0.05)
        await asyncio.to_thread(eventually, lambda: "not answered" in ingest.why_not(), WAIT)
        # How long a refusal takes says more of the machine; that nothing of it waits says it all.
        before = await asyncio.to_thread(ingest.metric, "waymark_log_waiting_bytes")
        for n in range(20):
            refused = {"type": "click", "note": "x" * 10_000, "ts": str(n)}
            answer = await asyncio.to_thread(ingest.post, [view(f"w{n}", 0), refused])
            assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        after = await asyncio.to_thread(ingest.metric, "waymark_log_waiting_bytes")
        assert after < before + 10_000
        assert not ingest.ready()
        await asyncio.to_thread(victim.start)
        await asyncio.wait_for(load.more(5), WAIT)
        await load.stop()
        await shoppers.close()
        await asyncio.to_thread(ingest.wait_ready)  # said anew with the publisher's next sweep
        assert await asyncio.to_thread(ingest.stop) == 0
    finally:
        ingest.close()
    assert_nothing_lost(load, _plain(await read_all(ingest.settings, "events")))
