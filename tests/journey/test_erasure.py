"""A customer asks to be forgotten, by DELETE, in both shapes: no part says anything more of her."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.common.kafka import client_options
from services.common.settings import load
from services.common.topics import TOPIC_OF_TABLE, topic_name
from tests.journey.installations import Installation
from tests.journey.street import Both
from tests.support.process import eventually

WAIT = 120.0
USER = "u-who-leaves"
PHONE, LAPTOP, OTHER = "phone-who-leaves", "laptop-who-leaves", "other-who-stays"
CART = "basket-who-leaves"
LISTS = ("events", "sessions", "carts", "orders", "signals")

T = TypeVar("T")


def story() -> list[dict[str, Any]]:
    """Two machines of one customer and somebody else, long enough ago to be over soon."""
    ago_ms = time.time_ns() // 1_000_000 - 20 * 60_000
    goods = [{"product_id": "p1", "price": "19.50", "quantity": 1}]
    order = {"order_id": "order-who-leaves", "value": "19.50", "currency": "EUR"}
    steps: list[dict[str, Any]] = [
        {"type": "page_view", "visitor_id": PHONE, "user_id": USER},
        {"type": "cart_add", "visitor_id": PHONE, "cart_id": CART, "products": goods},
        {"type": "page_view", "visitor_id": LAPTOP, "user_id": USER},
        {"type": "purchase", "visitor_id": LAPTOP, "cart_id": CART, "user_id": USER, **order},
        {"type": "page_view", "visitor_id": OTHER},
        {"type": "cart_add", "visitor_id": OTHER, "products": goods},
    ]
    return [
        {"event_id": f"leaves-{place}", "ts_ms": ago_ms + 1_000 * place, **step}
        for place, step in enumerate(steps)
    ]


def now(visitor: str) -> dict[str, Any]:
    """Return a step of now: it waits to settle, and opens a visit."""
    return {"type": "page_view", "visitor_id": visitor, "event_id": f"{visitor}-now"}


def told(of: Installation, who: str) -> dict[str, int]:
    return {table: _stored(of, table, who) for table in LISTS}


def _stored(of: Installation, table: str, who: str) -> int:
    return len(of.get(f"/v1/{table}", source="desk", visitor_id=who)["rows"])


class Eraser:
    """Whoever holds a read token of the source."""

    def __init__(self, of: Installation) -> None:
        self._url = of.reads.url
        self._token = of.command("keys", "create", "desk", "--kind", "read")["secret"]

    def ask(self, path: str) -> dict[str, Any]:
        refused = httpx.delete(self._url + path, params={"source": "desk"}, timeout=WAIT)
        assert refused.status_code == 401, "open reads are no leave to destroy"
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = httpx.delete(
            self._url + path, params={"source": "desk"}, headers=headers, timeout=WAIT
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["erased"])


def test_who_asks_by_delete_is_forgotten_and_nobody_else(both: Both) -> None:
    with ThreadPoolExecutor() as pool:  # most of it is waiting for events to settle
        list(pool.map(_forgets, both.each()))


def _forgets(installation: Installation) -> None:
    eraser = Eraser(installation)
    installation.post("desk", story())
    eventually(lambda: _stored(installation, "orders", LAPTOP), WAIT)
    eventually(lambda: _stored(installation, "sessions", OTHER), WAIT)
    installation.post("desk", [now(PHONE), now(OTHER)])
    eventually(lambda: installation.live("desk", PHONE), WAIT)

    erased = eraser.ask(f"/v1/users/{USER}")
    assert (erased["visitors"], erased["orders"] > 0, erased["events"] >= 5) == (3, True, True)
    on_kafka = installation.name == "distributed"
    ends = _ends(installation) if on_kafka else {}
    for who in (PHONE, LAPTOP):
        assert installation.live("desk", who) is None
        assert told(installation, who) == dict.fromkeys(LISTS, 0)
    for row in installation.rows("/v1/events", source="desk"):
        assert not {USER, PHONE, LAPTOP} & {row.get("user_id"), row.get("visitor_id")}

    eventually(lambda: installation.live("desk", OTHER), WAIT)
    eventually(lambda: _stored(installation, "events", OTHER) >= 3, WAIT)
    assert told(installation, OTHER)["events"] == 3
    # What is stated from now on is of others only.
    installation.post("desk", [now("next-who-stays")])
    eventually(lambda: _stored(installation, "sessions", "next-who-stays"), WAIT)
    for who in (PHONE, LAPTOP):
        assert told(installation, who) == dict.fromkeys(LISTS, 0)
    if on_kafka:
        said = b"".join(_said_since(installation, ends))
        assert b"next-who-stays" in said
        assert [word for word in (USER, PHONE, LAPTOP, CART) if word.encode() in said] == []

    assert eraser.ask(f"/v1/visitors/{PHONE}")["events"] == 0


Ends = dict[TopicPartition, int]


def _ends(of: Installation) -> Ends:
    """Return where the topics of rows end."""
    return asyncio.run(_ask(of, AIOKafkaConsumer.end_offsets))


def _said_since(of: Installation, ends: Ends) -> list[bytes]:
    """Return all rows that workers stated after these places."""

    async def read(reader: AIOKafkaConsumer, every: list[TopicPartition]) -> list[bytes]:
        until = await reader.end_offsets(every)
        reader.assign(every)
        for one in every:
            reader.seek(one, ends[one])
        said: list[bytes] = []
        while any([await reader.position(one) < until[one] for one in every]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                said += [record.value for record in records if record.value]
        return said

    return asyncio.run(_ask(of, read))


async def _ask(of: Installation, what: Callable[[AIOKafkaConsumer, Any], Awaitable[T]]) -> T:
    environ = of.ingest.environ
    settings = load(environ={key: environ[key] for key in environ if "KAFKA" in key})
    every = [
        TopicPartition(topic_name(settings, name), number)
        for name in TOPIC_OF_TABLE.values()
        for number in range(settings.kafka_partitions)
    ]
    options = client_options(settings)
    reader = AIOKafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False)
    await reader.start()
    try:
        return await what(reader, every)
    finally:
        await reader.stop()
