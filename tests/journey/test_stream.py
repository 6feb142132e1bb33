"""Signals as they are made, over HTTP, in both shapes: nothing lost, nothing twice, and resumed."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.common.kafka import client_options
from services.common.settings import load
from services.metrics_api.topic_signals import offsets_of, place_text
from tests.journey.installations import Installation
from tests.journey.street import Both
from tests.support.process import eventually

WAIT = 60.0


class Reader:
    """A client that keeps what a stream gives: places in order, and data beside them.

    It follows the stages alone: what else a visit tells comes by the time its end settles.
    """

    def __init__(self, of: Installation, last_id: str = "", **parameters: Any) -> None:
        self.items: list[tuple[str, dict[str, Any] | None]] = []
        headers = {"Last-Event-ID": last_id} if last_id else {}
        self._http = httpx.Client(timeout=60)
        self._answer = self._http.send(
            self._http.build_request(
                "GET",
                f"{of.reads.url}/v1/signals/stream",
                params={"source": "desk", "kind": "stage_entered", **parameters},
                headers=headers,
            ),
            stream=True,
        )
        self.status = self._answer.status_code
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        item: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines():
                name, _, text = line.partition(": ")
                if name:
                    item[name] = text
                elif item.keys() & {"id", "data"}:
                    data = json.loads(item["data"]) if "data" in item else None
                    self.items.append((item.get("id", ""), data))
                    item = {}
        except (httpx.TransportError, httpx.StreamError):  # the test has closed it
            return

    def place(self) -> str:
        """Return the newest id it was given, as a browser would keep it."""
        return next((place for place, _ in reversed(self.items) if place), "")

    def settled(self) -> list[tuple[str, str]]:
        return [(row["signal_id"], row["kind"]) for _, row in self.items if row and row["settled"]]

    def unsettled(self) -> list[dict[str, Any]]:
        return [row for place, row in self.items if row and not row["settled"] and not place]

    def close(self) -> None:
        self._answer.close()
        self._thread.join(30)
        self._http.close()


def visit(of: Installation, visitor: str) -> None:
    """Look at two stages, so that two signals come when they settle."""
    now = time.time_ns() // 1_000_000
    pages = (("/", "page_view"), ("/product/hat", "product_view"))
    events = [
        {
            "type": kind,
            "visitor_id": visitor,
            "url": f"https://shop.example{path}",
            "event_id": f"{visitor}-{place}",
            "ts_ms": now - 100 + place,
        }
        for place, (path, kind) in enumerate(pages)
    ]
    assert of.post("desk", events)["accepted"] == 2


def stored(of: Installation, visitor: str) -> set[tuple[str, str]]:
    rows = of.rows("/v1/signals", source="desk", visitor_id=visitor, kind="stage_entered")
    return {(row["signal_id"], row["kind"]) for row in rows}


def in_each(both: Both, work: Callable[[Installation], None]) -> None:
    """Do it in both at once: most of it is waiting for events to settle."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(work, both.each()))


@pytest.fixture(scope="module")
def left(both: Both) -> str:
    """Return where a client of the one process stood before somebody came to the other shape."""
    reader = Reader(both.standalone)
    try:
        eventually(reader.place, WAIT)
    finally:
        reader.close()
    visit(both.distributed, "moves")
    return reader.place()


def test_a_stream_gives_what_storage_has_and_goes_on_where_it_stood(both: Both, left: str) -> None:
    assert left  # whoever moves has come by now, and settles meanwhile
    in_each(both, _resumes)


def _resumes(installation: Installation) -> None:
    first = Reader(installation, visitor_id="follows")
    try:
        eventually(first.place, WAIT)  # a client that never got a signal can resume too
        begin = first.place()
        visit(installation, "follows")
        eventually(lambda: len(first.settled()) >= 2, WAIT)
    finally:
        first.close()
    middle = next(place for place, row in first.items if row)
    visit(installation, "passes-by")
    everything = Reader(installation, begin, visitor_id="follows")
    rest = Reader(installation, middle, visitor_id="follows")
    try:
        eventually(lambda: len(everything.settled()) >= 2, WAIT)
        eventually(lambda: len(rest.settled()) >= 1, WAIT)
        eventually(lambda: len(stored(installation, "follows")) >= 2, WAIT)
    finally:
        everything.close()
        rest.close()
    assert first.settled() == everything.settled()
    assert rest.settled() == first.settled()[1:]
    assert set(first.settled()) == stored(installation, "follows")


def test_a_live_stream_shows_what_is_unsettled_first_and_marks_it(both: Both) -> None:
    in_each(both, _hurries)


def _hurries(installation: Installation) -> None:
    reader = Reader(installation, live=True, visitor_id="hurries")
    try:
        eventually(reader.place, WAIT)
        visit(installation, "hurries")
        eventually(lambda: len(reader.settled()) >= 2, WAIT)
    finally:
        reader.close()
    told = {(row["signal_id"], row["kind"]) for row in reader.unsettled()}
    assert told == set(reader.settled())
    settled = [row["settled"] for _, row in reader.items if row]
    assert settled == sorted(settled), "what is unsettled comes first"


def test_an_id_that_no_stream_has_given_is_refused(installation: Installation) -> None:
    for last_id in ("nonsense", "kAAAA"):
        answer = httpx.get(
            f"{installation.reads.url}/v1/signals/stream",
            params={"source": "desk"},
            headers={"Last-Event-ID": last_id},
            timeout=30,
        )
        assert answer.status_code == 400
        assert "Last-Event-ID" in answer.json()["message"]


def test_a_client_of_one_process_goes_on_in_the_other_shape(both: Both, left: str) -> None:
    there = Reader(both.distributed, left, visitor_id="moves")
    try:
        eventually(lambda: len(set(there.settled())) >= 2, WAIT)
    finally:
        there.close()
    eventually(lambda: len(stored(both.distributed, "moves")) >= 2, WAIT)
    assert set(there.settled()) == stored(both.distributed, "moves")


async def _forget_signals(both: Both) -> list[int]:
    """Have the broker delete every signal, as its retention does; return where they began."""
    environ = both.distributed.ingest.environ
    settings = load(environ={key: environ[key] for key in environ if "KAFKA" in key})
    topic = f"{settings.kafka_prefix}.signals"
    every = [TopicPartition(topic, number) for number in range(settings.kafka_partitions)]
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.delete_records({one: RecordsToDelete(before_offset=-1) for one in every})
    finally:
        await admin.close()
    return [0] * len(every)


def test_an_id_older_than_kafka_keeps_and_one_of_other_topics_are_answered_clearly(
    both: Both, left: str
) -> None:
    assert left
    eventually(lambda: len(stored(both.distributed, "moves")) >= 2, WAIT)
    begin = asyncio.run(_forget_signals(both))
    for offsets, message in ((begin, "older than what Kafka keeps"), ([1 << 40] * 4, "no more")):
        reader = httpx.get(
            f"{both.distributed.reads.url}/v1/signals/stream",
            params={"source": "desk"},
            headers={"Last-Event-ID": place_text(offsets)},
            timeout=30,
        )
        assert reader.status_code == 400
        assert message in reader.json()["message"]
        assert "/v1/signals?from=" in reader.json()["message"]
        assert f"Last-Event-ID = '{place_text(offsets)}'" in reader.json()["message"]
    assert offsets_of(place_text(begin), 4) == begin
