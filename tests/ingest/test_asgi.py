"""What a well-behaved client never does, by calling the application directly."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.common.errors import OverloadedError
from services.common.metrics import Metrics
from services.common.ports import Outgoing
from services.common.rules import CatalogRules
from services.ingest.app import Limits, create_ingest
from services.ingest.budget import LEAST
from services.sessionizer.core.policy import Policy
from tests.ingest.parts import VIEW, Parts, Reply, bearer, call

BODY = json.dumps(VIEW).encode()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(
        tmp_path,
        Limits(in_flight_bytes=200_000, patience_s=0.05),
        trusted=["10.0.0.0/8"],
    )
    yield made
    assert made.app.budget.used == 0, "bytes are still held of requests that have ended"
    made.catalog.close()


async def post(parts: Parts, *body: bytes | None, **headers: str) -> Reply:
    answer = await call(parts.app, body or (BODY,), bearer(parts.key, **headers))
    assert answer is not None
    return answer


async def test_a_body_in_many_parts_is_one_body(parts: Parts) -> None:
    answer = await post(parts, *(BODY[n : n + 7] for n in range(0, len(BODY), 7)))
    assert answer.json()["accepted"] == 1


async def test_a_source_whose_policy_is_invalid_is_told_so_and_loses_nothing(parts: Parts) -> None:
    shop = parts.catalog.source("shop")
    assert shop is not None
    parts.catalog.put_source(msgspec.structs.replace(shop, policy="[session]\ngap_ms = 'long'"))
    app = create_ingest(
        parts.log,
        parts.log,
        parts.catalog,
        rules=CatalogRules(parts.catalog, Policy()),
        clock=parts.clock,
        metrics=Metrics(),
    )
    for query in ("", "dry_run=true"):
        answer = await call(app, (BODY,), bearer(parts.key), query=query)
        assert answer is not None
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
        assert "policy of source shop is invalid" in answer.json()["message"]
        assert "retry-after" in answer.headers
    assert parts.log.records == []


async def test_a_client_that_goes_away_is_answered_nothing_and_nothing_is_kept(
    parts: Parts,
) -> None:
    gone = await call(parts.app, (BODY[:20], None), bearer(parts.key))
    assert gone is None
    assert parts.log.records == []
    assert parts.counted('waymark_ingest_requests_total{code="gone",status="499"}') == 1


async def test_a_client_that_stops_sending_is_cut_off(parts: Parts) -> None:
    answer = await post(parts, BODY[:20] + b"\0more")
    assert (answer.status, answer.json()["code"]) == (408, "timeout")
    assert answer.headers["connection"] == "close"
    assert parts.log.records == []


async def test_reading_stops_at_the_limit_however_much_comes(parts: Parts) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(10_000):
            taken += 1
            yield b" " * 65_536

    limit = Limits().body_bytes
    parts.app.budget.limit = 10_000_000
    answer = await call_lazily(parts, endless())
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    assert taken <= limit // 65_536 + 2
    assert answer.headers["connection"] == "close"


async def call_lazily(parts: Parts, body: Iterator[bytes]) -> Reply:
    """Call with a body that is made as it is read."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": next(body), "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(k.encode(), v.encode()) for k, v in bearer(parts.key).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "query_string": b"",
        "headers": headers,
        "client": ("203.0.113.77", 1),
    }
    await parts.app(scope, receive, send)
    return Reply(
        sent[0]["status"],
        {name.decode(): value.decode() for name, value in sent[0]["headers"]},
        sent[1]["body"],
    )


async def test_a_length_declared_beyond_the_limit_is_refused_unread(parts: Parts) -> None:
    answer = await post(parts, b" " * 100, content_length="99999999")
    assert (answer.status, answer.json()["code"]) == (413, "too_large")


async def test_a_bomb_is_refused_with_bounded_memory(parts: Parts) -> None:
    bomb = gzip.compress(bytes(200 << 20))
    parts.app.budget.limit = 10_000_000
    await post(parts)  # what is loaded once is no matter
    tracemalloc.start()
    try:
        answer = await post(parts, bomb, content_encoding="gzip")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status, answer.json()["code"]) == (413, "too_large")
    assert peak < 3_000_000


class SlowLog:
    """A log that does not answer until it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.waiting = 0

    async def settled(self, calls: Sequence[asyncio.Task[Reply]]) -> None:
        """Wait until each call is answered or waits here."""
        for _ in range(1_000):
            if sum(task.done() for task in calls) + self.waiting == len(calls):
                return
            await asyncio.sleep(0)
        raise AssertionError("some calls are neither answered nor waiting")

    async def publish(self, items: Sequence[Outgoing]) -> int:
        self.waiting += 1
        await self.go.wait()
        return len(items)


async def test_beyond_the_bytes_in_flight_requests_are_told_to_come_again(parts: Parts) -> None:
    log = SlowLog()
    parts.app._store._publisher = log
    body = json.dumps([VIEW | {"title": "x" * 1_000}] * 20).encode()
    tracemalloc.start()
    try:
        calls = [asyncio.create_task(post(parts, body)) for _ in range(500)]
        await log.settled(calls)
        held, peak = parts.app.budget.used, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert held <= parts.app.budget.limit
    assert log.waiting <= parts.app.budget.limit // len(body)
    assert peak < 20 * parts.app.budget.limit
    assert parts.counted("waymark_ingest_in_flight_bytes") == held
    refused = [task.result() for task in calls if task.done()]
    assert {(one.status, one.json()["code"]) for one in refused} == {(429, "overloaded")}
    assert all(int(one.headers["retry-after"]) > 0 for one in refused)
    log.go.set()
    answers = await asyncio.gather(*calls)
    assert sum(answer.status == 200 for answer in answers) == log.waiting > 0


async def test_empty_requests_count_too(parts: Parts) -> None:
    stalled = [
        asyncio.create_task(call(parts.app, (b"\0more",), bearer(parts.key))) for _ in range(200)
    ]
    await asyncio.sleep(0.01)
    assert parts.app.budget.used <= parts.app.budget.limit
    answers = await asyncio.gather(*stalled)
    told = [answer.status for answer in answers if answer]
    assert told.count(429) == 200 - parts.app.budget.limit // LEAST
    assert told.count(408) == parts.app.budget.limit // LEAST


async def test_a_log_that_is_behind_is_told_as_overload(parts: Parts) -> None:
    class Behind:
        async def publish(self, items: Sequence[Outgoing]) -> int:
            raise OverloadedError(f"{len(items)} wait")

    parts.app._store._publisher = Behind()
    answer = await post(parts)
    assert (answer.status, answer.json()["code"]) == (429, "overloaded")


async def test_a_bug_is_answered_in_our_form_and_raised_for_the_log(parts: Parts) -> None:
    class Broken:
        async def publish(self, items: Sequence[Outgoing]) -> int:
            raise ZeroDivisionError(f"secret of {len(items)}")

    parts.app._store._publisher = Broken()
    told: list[Any] = []

    async def keep(message: Any) -> None:
        told.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY}

    headers = [(k.encode(), v.encode()) for k, v in bearer(parts.key).items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "query_string": b"",
        "headers": headers,
        "client": None,
    }
    with pytest.raises(ZeroDivisionError):
        await parts.app(scope, receive, keep)
    assert told[0]["status"] == 500
    assert json.loads(told[1]["body"])["code"] == "internal"
    assert b"secret" not in told[1]["body"]
    assert b"Traceback" not in told[1]["body"]


async def test_what_is_sent_again_after_a_failure_is_one_letter(parts: Parts) -> None:
    body = json.dumps([{"type": "page_view"}] * 2).encode()
    await post(parts, body)
    first = dict(parts.log.letters)
    assert len(first) == 2
    parts.clock.move(60_000)
    await post(parts, body)
    assert parts.log.letters == first


async def test_bytes_that_are_no_text_are_kept_as_they_came(parts: Parts) -> None:
    good, bad = json.dumps(VIEW).encode(), b'{"type":"page_view","visitor_id":"\xff\xfe"}'
    answer = await post(parts, good + b"\n" + bad)
    assert (answer.json()["accepted"], answer.json()["errors"][0]["index"]) == (1, 1)
    (letter,) = parts.log.letters.values()
    assert letter.base64
    assert letter.original == "eyJ0eXBlIjoicGFnZV92aWV3IiwidmlzaXRvcl9pZCI6Iv/+In0="


async def test_an_event_without_id_and_time_is_taken_with_a_warning(parts: Parts) -> None:
    body = json.dumps([VIEW, {"type": "page_view", "visitor_id": "v2"}]).encode()
    told = (await post(parts, body)).json()
    assert told["accepted"] == 2
    (warning,) = told["warnings"]
    assert (warning["index"], warning["code"]) == (1, "not_idempotent")


@pytest.mark.parametrize(
    ("peer", "ip", "country"), [("10.0.0.9", "198.51.100.0", "DE"), ("203.0.113.77", "", "")]
)
async def test_the_shopper_is_found_behind_a_trusted_proxy_alone(
    parts: Parts, peer: str, ip: str, country: str
) -> None:
    _, secret = parts.catalog.create_key("shop", "browser", ["*"])
    headers = bearer(secret, x_forwarded_for="6.6.6.6, 198.51.100.23", cf_ipcountry="DE")
    await call(parts.app, (BODY,), headers, peer=peer)
    (event,) = parts.events()
    assert event.ip == (ip or "203.0.113.0")
    assert event.country == country


async def test_a_page_of_an_allowed_origin_may_send_and_read(parts: Parts) -> None:
    _, secret = parts.catalog.create_key("shop", "browser", ["https://shop.example"])
    asked = await call(
        parts.app,
        method="OPTIONS",
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-custom",
        },
    )
    assert asked is not None
    assert (asked.status, asked.body) == (204, b"")
    assert asked.headers["access-control-allow-origin"] == "https://shop.example"
    assert asked.headers["access-control-allow-headers"] == "authorization,content-type,x-custom"
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert int(asked.headers["access-control-max-age"]) >= 900
    for key, status in ((secret, 200), ("wrong", 401)):
        answer = await call(parts.app, (BODY,), bearer(key, origin="https://shop.example"))
        assert answer is not None
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["vary"] == "Origin"


async def test_a_page_of_another_origin_may_do_neither(parts: Parts) -> None:
    _, secret = parts.catalog.create_key("shop", "browser", ["https://shop.example"])
    asked = await call(parts.app, method="OPTIONS", headers={"origin": "https://evil.example"})
    assert asked is not None
    assert "access-control-allow-origin" not in asked.headers
    answer = await call(parts.app, (BODY,), bearer(secret, origin="https://evil.example"))
    assert answer is not None
    assert answer.status == 401
    assert "access-control-allow-origin" not in answer.headers
    assert parts.events() == []


async def test_an_app_without_an_origin_may_use_a_browser_key(parts: Parts) -> None:
    _, secret = parts.catalog.create_key("shop", "browser", ["https://shop.example"])
    answer = await call(parts.app, (BODY,), bearer(secret))
    assert answer is not None
    assert answer.status == 200


async def test_orders_of_a_browser_key_are_provisional_once_the_server_sends_orders(
    parts: Parts,
) -> None:
    _, secret = parts.catalog.create_key("shop", "browser", ["*"])
    for n, key in enumerate((secret, parts.key, secret, parts.key)):
        order = {"type": "purchase", "event_id": f"p{n}", "order_id": f"o{n}", "visitor_id": "v"}
        body = json.dumps(order | {"value": "10.00"}).encode()
        await call(parts.app, (body,), bearer(key))
    assert [event.provisional for event in parts.events()] == [False, False, True, False]


async def test_events_of_a_test_key_are_marked_and_go_to_a_source_of_their_own(
    parts: Parts,
) -> None:
    _, secret = parts.catalog.create_key("shop", "test")
    await call(parts.app, (BODY,), bearer(secret))
    (event,) = parts.events()
    assert (event.source, event.test) == ("shop-test", True)


async def test_no_answer_and_no_metric_repeats_a_secret(parts: Parts) -> None:
    for key in (parts.key, "wk_wrong_secret"):
        answer = await call(parts.app, (b"{",), bearer(key, content_encoding="gzip"))
        assert answer is not None
        assert key.encode() not in answer.body
        assert key not in str(answer.headers)
        assert key.encode() not in parts.metrics.expose()
