"""The main behaviours over a real server, as a storefront meets them."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from backports import zstd

from services.common.hosts import guard_hosts
from services.ingest.app import ingest_first
from tests.ingest.parts import VIEW, Parts, call, serving


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    app = guard_hosts(parts.app, "127.0.0.1")
    async with serving(app) as url, httpx.AsyncClient(base_url=url) as made:
        made.headers["Authorization"] = f"Bearer {parts.key}"
        yield made
    parts.catalog.close()


def view(n: int) -> dict[str, Any]:
    return VIEW | {"event_id": f"e{n}", "visitor_id": f"v{n}"}


async def test_an_event_is_answered_once_the_log_has_it(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/v1/events", json=VIEW)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"received": 1, "accepted": 1, "errors": []}
    (event,) = parts.events()
    assert (event.source, event.type, event.visitor_id) == ("shop", "page_view", "v1")
    assert event.received_ms == parts.clock.now_ms()


@pytest.mark.parametrize("form", ["array", "lines"])
async def test_arrays_and_lines_are_taken_in_order(
    parts: Parts, client: httpx.AsyncClient, form: str
) -> None:
    items = [view(n) for n in range(50)]
    body = json.dumps(items) if form == "array" else "\n".join(map(json.dumps, items)) + "\n"
    kind = "application/json" if form == "array" else "application/x-ndjson"
    answer = await client.post("/v1/events", content=body, headers={"content-type": kind})
    assert answer.json() == {"received": 50, "accepted": 50, "errors": []}
    assert [event.event_id for event in parts.events()] == [f"e{n}" for n in range(50)]
    assert len(parts.log.records) == 1  # one publish a request


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_compressed_bodies_are_taken_also_unnamed(
    parts: Parts, client: httpx.AsyncClient, encoding: str, named: bool
) -> None:
    compress = gzip.compress if encoding == "gzip" else zstd.compress
    headers = {"content-encoding": encoding} if named else {}
    body = compress(json.dumps([view(1), view(2)]).encode())
    answer = await client.post("/v1/events", content=body, headers=headers)
    assert answer.json()["accepted"] == 2
    assert len(parts.events()) == 2


async def test_a_refused_item_leaves_the_rest_accepted_and_is_kept(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    bad = b'{"type":"page_view","event_id":"bad","visitor_id":"null"}'
    body = b"[" + json.dumps(view(1)).encode() + b"," + bad + b"," + json.dumps(view(2)).encode()
    answer = await client.post("/v1/events", content=body + b"]")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["received"], told["accepted"]) == (3, 2)
    (error,) = told["errors"]
    assert set(error) == {"index", "event_id", "code", "field", "message"}
    assert (error["index"], error["event_id"]) == (1, "bad")
    assert [event.event_id for event in parts.events()] == ["e1", "e2"]
    (letter,) = parts.log.letters.values()
    assert letter.original.encode() == bad
    assert (letter.source, letter.code, letter.event_id) == ("shop", error["code"], "bad")
    assert parts.counted('waymark_ingest_events_total{outcome="accepted",source="shop"}') == 2
    assert parts.counted('waymark_ingest_events_total{outcome="refused",source="shop"}') == 1
    assert parts.counted(f'waymark_ingest_refused_total{{code="{letter.code}"}}') == 1


async def test_every_way_to_name_the_key(parts: Parts, client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    basic = base64.b64encode(f"{parts.key}:".encode()).decode()
    for headers in (
        {"Authorization": f"Bearer {parts.key}"},
        {"authorization": f"bearer  {parts.key}"},
        {"Authorization": f"Basic {basic}"},
        {"X-Write-Key": parts.key},
    ):
        answer = await client.post("/v1/events", json=VIEW, headers=headers)
        assert answer.status_code == 200, headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"wrong:").decode()},
        {"Authorization": "Digest x"},
        {"X-Write-Key": "wrong"},
    ],
)
async def test_without_a_known_key_nothing_is_taken(
    parts: Parts, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    del client.headers["Authorization"]
    answer = await client.post("/v1/events", json=VIEW, headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == "unauthorized"
    assert parts.events() == []


async def test_a_read_token_is_told_from_a_key_that_nobody_knows(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    token, secret = parts.catalog.create_token("shop")
    headers = {"Authorization": f"Bearer {secret}"}
    answer = await client.post("/v1/events", json=VIEW, headers=headers)
    assert answer.status_code == 401
    assert "read token" in answer.json()["message"]
    parts.catalog.revoke_token(token.id)
    revoked = await client.post("/v1/events", json=VIEW, headers=headers)
    assert revoked.json()["message"] == "the write key is unknown or revoked"


async def test_a_revoked_key_is_refused_at_once(parts: Parts, client: httpx.AsyncClient) -> None:
    key, secret = parts.catalog.create_key("shop")
    headers = {"Authorization": f"Bearer {secret}"}
    assert (await client.post("/v1/events", json=VIEW, headers=headers)).status_code == 200
    parts.catalog.revoke_key(key.id)
    assert (await client.post("/v1/events", json=VIEW, headers=headers)).status_code == 401


async def test_while_the_log_is_down_nothing_is_acknowledged(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    parts.log.refuse = True
    for body in (json.dumps(VIEW), '{"type":"page_view"}', f"[{json.dumps(VIEW)},{{}}]"):
        answer = await client.post("/v1/events", content=body)
        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        assert int(answer.headers["retry-after"]) > 0
    assert parts.events() == []
    assert parts.log.letters == {}
    assert parts.counted('waymark_ingest_events_total{outcome="accepted",source="shop"}') == 0
    parts.log.refuse = False
    assert (await client.post("/v1/events", json=VIEW)).status_code == 200


async def test_a_body_beyond_the_limit_is_refused_and_the_connection_goes_on(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    for body in (b" " * 600_000, gzip.compress(b" " * 600_000)):
        answer = await client.post("/v1/events", content=body)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"
    assert (await client.post("/v1/events", json=VIEW)).status_code == 200


async def test_too_many_items_are_refused_whole(parts: Parts, client: httpx.AsyncClient) -> None:
    item = '{"type":"scroll","visitor_id":"v"}'
    answer = await client.post("/v1/events", content=f"[{','.join([item] * 2_501)}]")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    tried = await client.post("/v1/events?dry_run=1", content=f"[{','.join([item] * 251)}]")
    assert (tried.status_code, tried.json()["code"]) == (413, "too_large")
    assert "250" in tried.json()["message"]
    assert parts.events() == []


@pytest.mark.parametrize("body", [b"", b"hello", b"17", b"null", b'"x"', b"[{}", b'{"type":'])
async def test_what_is_no_list_of_events_is_refused_whole(
    parts: Parts, client: httpx.AsyncClient, body: bytes
) -> None:
    answer = await client.post("/v1/events", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == "invalid_body"
    assert parts.events() == []


async def test_a_body_that_is_no_json_is_kept_all_the_same(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    await client.post("/v1/events", content=b'{"type":')
    assert [letter.original for letter in parts.log.letters.values()] == ['{"type":']


async def test_an_empty_list_is_taken(parts: Parts, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json=[])
    assert answer.json() == {"received": 0, "accepted": 0, "errors": []}
    assert parts.log.records == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/xml"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "br"},
        {"content-encoding": "gzip, gzip"},
    ],
)
async def test_other_media_types_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/v1/events", content=json.dumps(VIEW), headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=UTF-8", "application/x-ndjson", "text/plain;charset=utf-8", None],
)
async def test_media_types_of_json_are_taken(client: httpx.AsyncClient, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = await client.post("/v1/events", content=json.dumps(VIEW), headers=headers)
    assert answer.status_code == 200


async def test_other_methods_and_paths_are_told_in_our_form(client: httpx.AsyncClient) -> None:
    put = await client.put("/v1/events", json=VIEW)
    assert (put.status_code, put.json()["code"]) == (405, "method_not_allowed")
    assert put.headers["allow"] == "POST, OPTIONS"
    other = await client.post("/v1/other", json=VIEW)
    assert (other.status_code, other.json()["code"]) == (404, "not_found")


async def test_a_foreign_host_is_refused_on_loopback(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json=VIEW, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_host")


async def test_a_dry_run_tells_all_and_stores_nothing(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    cart = {
        "type": "cart_add",
        "event_id": "c1",
        "visitor_id": "v1",
        "currency": "KWD",
        "products": [{"product_id": "p", "price": "1.5"}],
    }
    body = [cart, {"type": "page_view"}, VIEW]
    answer = await client.post("/v1/events?dry_run=true", json=body)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["received"], told["accepted"], len(told["errors"])) == (3, 2, 1)
    first, second = told["events"]
    assert (first["index"], second["index"]) == (0, 2)
    assert first["event"]["products"] == [{"product_id": "p", "price": "1.500", "quantity": 1}]
    assert (first["stage"], first["session"]) == ("intent", {"n": 0})
    assert first["cart"] == {
        "value": "3.579",
        "abandoned_value": None,
        "lines": [{"price": "1.193", "quantity": 3}],
        "currency": "KWD",
    }
    assert second["stage"] == "discovery"
    assert parts.log.records == []
    assert parts.log.letters == {}
    stored = await client.post("/v1/events?dry_run=false", json=VIEW)
    assert "events" not in stored.json()
    assert len(parts.events()) == 1


@pytest.mark.parametrize(
    "query",
    ["dry_run=maybe", "dryrun=true", "dry_run=true&trace=1", "a", "dry_run=1&dry_run=0"],
)
async def test_a_parameter_that_cannot_be_taken_is_named_and_nothing_is_stored(
    parts: Parts, client: httpx.AsyncClient, query: str
) -> None:
    refused = await client.post(f"/v1/events?{query}", json=VIEW)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_parameter")
    name, _, value = query.rpartition("&")[2].partition("=")
    assert f"{name} = {value!r}" in refused.json()["message"]
    assert parts.log.records == []


async def test_a_dry_run_tells_fields_that_no_event_has(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    odd = VIEW | {"ts": 1_790_000_000, "visitorId": "v", "source": "mine", "properties": {"a": 1}}
    body = [{"type": "page_view"}, odd, VIEW]
    told = (await client.post("/v1/events?dry_run=true", json=body)).json()
    found = [(one["index"], one["code"], one["message"].split()[0]) for one in told["warnings"]]
    assert found == [(1, "unknown_field", "'ts'"), (1, "unknown_field", "'visitorId'")]
    assert told["events"][0]["event"]["properties"].keys() == {"a", "ts", "visitorId"}
    assert "warnings" not in (await client.post("/v1/events", json=odd)).json()


async def test_a_dry_run_tells_a_type_that_is_not_known_and_which_is_close(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    types = ["product_veiw", "Page_View", "newsletter", "custom", "page_view"]
    body = [VIEW | {"type": name, "event_id": name} for name in types]
    told = (await client.post("/v1/events?dry_run=true", json=body)).json()
    found = [(one["event_id"], one["code"], one["message"]) for one in told["warnings"]]
    assert [(name, code) for name, code, _ in found] == [
        (name, "unknown_type") for name in types[:3]
    ]
    assert "'product_veiw'" in found[0][2]
    assert found[0][2].endswith("did you mean 'product_view'?")
    assert found[1][2].endswith("did you mean 'page_view'?")
    assert "mean" not in found[2][2]
    assert told["accepted"] == len(types)
    assert told["events"][0]["event"]["type"] == "custom"
    assert "warnings" not in (await client.post("/v1/events", json=body)).json()


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_an_order_whose_value_nothing_says_is_told(
    client: httpx.AsyncClient, query: str
) -> None:
    order = {"type": "purchase", "visitor_id": "v1"}
    priced = {"products": [{"product_id": "p", "price": 3}]}
    bare = {"products": [{"product_id": "p"}]}
    body = [
        order | {"event_id": "o1"},
        order | {"event_id": "o2", "value": 0},
        {"type": "page_view"},
        order | {"event_id": "o3"} | priced,
        order | {"event_id": "o4", "timestamp": 1_790_000_000} | bare,
        VIEW | {"title": "purchase"},
        VIEW | {"event_id": "e2", "type": "custom", "name": "purchase"},
    ]
    told = (await client.post(f"/v1/events{query}", json=body)).json()
    assert told["accepted"] == len(body) - 1
    found = [(one["index"], one["event_id"], one["code"]) for one in told["warnings"]]
    assert found == [(0, "o1", "no_value"), (4, "o4", "no_value")]


@pytest.mark.parametrize(
    ("url", "became"),
    [
        ("not a page", "taken as the path"),
        ("shop.example/p/1", "taken as the path"),
        ("javascript:alert(1)", "no path"),
        ("data:text/html,x", "no path"),
        ("myshop://product/1", "no path"),
        ("http://[bad", "no path"),
    ],
)
async def test_a_dry_run_tells_a_url_that_is_no_page(
    client: httpx.AsyncClient, url: str, became: str
) -> None:
    body = [VIEW | {"url": url}, VIEW | {"event_id": "e2", "url": url, "path": "/p/1"}]
    told = (await client.post("/v1/events?dry_run=true", json=body)).json()
    (warning,) = told["warnings"]
    assert (warning["index"], warning["code"]) == (0, "not_a_page")
    assert f"'{url}'" in warning["message"]
    assert became in warning["message"]
    assert told["events"][0]["event"]["url"] == url
    assert (await client.post("/v1/events", json=body[:1])).json()["accepted"] == 1


@pytest.mark.parametrize(
    "url", ["/p/1", "//shop.example/p/1", "HTTP://Shop.Example", "https://b\u00fccher.example/?q"]
)
async def test_a_dry_run_has_nothing_to_say_of_a_page(client: httpx.AsyncClient, url: str) -> None:
    told = (await client.post("/v1/events?dry_run=true", json=VIEW | {"url": url})).json()
    assert told["events"][0]["event"]["path"].startswith("/")
    assert "warnings" not in told


async def test_a_dry_run_tells_an_id_by_which_somebody_is_known(client: httpx.AsyncClient) -> None:
    ann = VIEW | {"visitor_id": "ann@shop.example", "user_id": "4111111111111111"}
    unknown = ann | {"event_id": "e2", "consent": {"analytics": False}}
    body = [ann, unknown, VIEW | {"event_id": "e3", "visitor_id": "@ann", "user_id": "7"}]
    told = (await client.post("/v1/events?dry_run=true", json=body)).json()
    (warning,) = told["warnings"]
    assert (warning["index"], warning["code"]) == (0, "personal_id")
    assert warning["message"].startswith("visitor_id 'ann@shop.example'")
    assert told["events"][0]["event"]["visitor_id"] == "ann@shop.example"


async def test_a_dry_run_knows_the_other_names_of_an_events_id(client: httpx.AsyncClient) -> None:
    sent = {"type": "page_view", "visitor_id": "v-1", "messageId": "m-1", "odd": 1}
    told = (await client.post("/v1/events?dry_run=true", json=sent)).json()
    found = [(one["event_id"], one["code"], one["message"].split()[0]) for one in told["warnings"]]
    assert found == [("m-1", "unknown_field", "'odd'")]
    assert told["events"][0]["event"]["event_id"] == "m-1"


async def test_a_retry_under_another_name_of_the_id_counts_once(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    sent = {"type": "page_view", "visitor_id": "v-1", "messageId": "m-1"}
    for _ in range(2):
        told = (await client.post("/v1/events", json=sent)).json()
        assert told == {"received": 1, "accepted": 1, "errors": []}
    assert [event.event_id for event in parts.events()] == ["m-1", "m-1"]


async def test_many_clients_at_once_lose_nothing(parts: Parts, client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(client.post("/v1/events", json=[view(n), view(n + 1_000)]) for n in range(100))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({event.event_id for event in parts.events()}) == 200
    assert parts.app.budget.used == 0


async def test_reads_of_the_same_path_go_to_the_rest(parts: Parts) -> None:
    reached = []

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        reached.append((scope["method"], scope["path"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})

    front = ingest_first(parts.app, rest)
    for method, path in (("GET", "/v1/events"), ("POST", "/v1/metrics"), ("POST", "/v1/events")):
        await call(front, method=method, path=path)
    assert reached == [("GET", "/v1/events"), ("POST", "/v1/metrics")]
    parts.catalog.close()
