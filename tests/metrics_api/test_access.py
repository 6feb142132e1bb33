"""Who may read what: tokens, the cookie, open loopback, one source and nothing of another."""

import httpx
import pytest

from schemas.event import Event
from services.common.hosts import guard_hosts
from tests.metrics_api.conftest import HOUR, NOW, READ_ALL, READ_SHOP, Get, World, uid

LISTS = ("sessions", "carts", "signals", "orders", "events", "dead-letters")


async def test_without_a_token_nothing_is_told_where_reads_are_not_open(world: World) -> None:
    async with world.client(open_reads=False) as client:
        for path in (
            *(f"/v1/{name}" for name in LISTS),
            "/v1/sources",
            "/v1/metrics",
            "/v1/access",
        ):
            answer = await client.get(path)
            assert answer.status_code == 401, path
            assert answer.json()["code"] == "unauthorized"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_wrong_token_is_told_also_where_reads_are_open(world: World) -> None:
    async with world.client("not-a-token") as client:
        answer = await client.get("/v1/sessions")
    assert answer.status_code == 401
    assert "not-a-token" not in answer.text


async def test_a_write_key_is_called_what_it_is(world: World) -> None:
    _, secret = world.catalog.create_key("shop")
    async with world.client(secret) as client:
        answer = await client.get("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.json()["message"] == (
        "this is a write key; reading needs a read token (`waymark keys create --kind read`)"
    )


async def test_another_scheme_than_bearer_is_refused(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("/v1/sessions", headers={"Authorization": "Digest x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_token_reads_with_reads_closed(world: World) -> None:
    async with world.client(READ_ALL, open_reads=False) as client:
        assert (await client.get("/v1/sessions")).status_code == 200
        assert (await client.get("/v1/access")).json() == {"open": False, "source": None}


@pytest.mark.parametrize("name", LISTS)
async def test_a_tied_token_sees_only_its_source(world: World, name: str) -> None:
    world.source("rival")
    async with world.client(READ_SHOP, open_reads=False) as client:
        assert (await client.get(f"/v1/{name}")).status_code == 200
        rival = await client.get(f"/v1/{name}", params={"source": "rival"})
        nobody = await client.get(f"/v1/{name}", params={"source": "nobody"})
    assert (rival.status_code, nobody.status_code) == (403, 403)
    assert rival.json() == nobody.json()
    assert "rival" not in rival.text


async def test_ids_of_another_source_answer_like_ids_of_nothing(world: World) -> None:
    world.source("rival")
    world.closed(1, source="rival", visitor_id="theirs")
    world.cart(2, source="rival")
    world.signal(3, source="rival")
    async with world.client(READ_SHOP, open_reads=False) as client:
        for path in ("sessions", "carts", "signals", "explain"):
            for number in (1, 2, 3, 9):
                answer = await client.get(f"/v1/{path}/{uid(number)}")
                assert answer.status_code == 404, (path, number)
        assert (await client.get("/v1/visitors/theirs")).status_code == 404
        assert (await client.get("/v1/visitors/theirs/export")).status_code == 404
        named = [row["name"] for row in (await client.get("/v1/sources")).json()["rows"]]
    assert named == ["shop"]


async def test_with_two_sources_one_must_be_named(world: World, client: httpx.AsyncClient) -> None:
    world.source("rival")
    answer = await client.get("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (400, "source_required")
    assert "rival" in answer.json()["message"]
    assert "shop" in answer.json()["message"]
    assert (await client.get("/v1/sessions", params={"source": "rival"})).status_code == 200


async def test_an_unknown_source_is_refused_naming_the_known(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/carts", params={"source": "shpo"})
    assert answer.status_code == 400
    assert "shpo" in answer.json()["message"]
    assert "shop" in answer.json()["message"]


async def test_the_demo_answers_only_until_a_shop_has_events(world: World, get: Get) -> None:
    world.source("demo", demo=True)
    world.closed(1, source="demo")
    world.closed(2, source="shop")
    assert [row["source"] for row in (await get("/v1/sessions"))["rows"]] == ["demo"]
    world.events(Event("page_view", "e1", "shop", "v1", NOW - HOUR))
    assert [row["source"] for row in (await get("/v1/sessions"))["rows"]] == ["shop"]
    named = (await get("/v1/sessions", source="demo"))["rows"]
    assert [row["source"] for row in named] == ["demo"]
    marked = {
        row["name"]: (row["demo"], row["default"]) for row in (await get("/v1/sources"))["rows"]
    }
    assert marked == {"demo": (True, False), "shop": (False, True)}


async def test_a_test_source_is_never_meant_unless_named(world: World, get: Get) -> None:
    world.source("shop-test", test=True)
    world.events(
        Event("page_view", "e1", "shop", "v1", NOW - HOUR),
        Event("page_view", "e2", "shop-test", "v1", NOW - HOUR),
    )
    assert [row["event_id"] for row in (await get("/v1/events"))["rows"]] == ["e1"]
    named = await get("/v1/events", source="shop-test")
    assert [row["event_id"] for row in named["rows"]] == ["e2"]


async def test_the_page_signs_in_with_a_cookie_no_script_can_read(world: World) -> None:
    async with world.client(open_reads=False) as client:
        wrong = await client.post("/signin", data={"token": "nonsense"})
        assert (wrong.status_code, wrong.headers["location"]) == (303, "/?signin=failed")
        assert "set-cookie" not in wrong.headers
        right = await client.post("/signin", data={"token": READ_SHOP})
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await client.get("/v1/access")).json() == {"open": False, "source": "shop"}
        await client.post("/signout")
        assert (await client.get("/v1/access")).status_code == 401


async def test_the_cookie_is_for_https_alone_where_https_is_spoken(world: World) -> None:
    transport = httpx.ASGITransport(world.app(open_reads=False))
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
        answer = await client.post("/signin", data={"token": READ_ALL})
    assert "secure" in answer.headers["set-cookie"].lower()


async def test_a_form_without_end_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/signin", data={"token": "x" * 10_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_erasing_needs_a_token_also_where_reads_are_open(world: World) -> None:
    async with world.client() as client:
        assert (await client.delete("/v1/visitors/v1")).status_code == 401
    assert world.forget.asked == []
    async with world.client(READ_SHOP) as client:
        assert (await client.delete("/v1/visitors/v1")).status_code == 200
        assert (await client.delete("/v1/users/u1")).status_code == 200
        world.source("rival")
        refused = await client.delete("/v1/visitors/v1", params={"source": "rival"})
    assert refused.status_code == 403
    assert world.forget.asked == [("shop", "v1", ""), ("shop", "", "u1")]


async def test_a_name_that_was_made_to_point_at_loopback_is_refused(world: World) -> None:
    guarded = guard_hosts(world.app(), "127.0.0.1")
    transport = httpx.ASGITransport(guarded)
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as client:
        answer = await client.get("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_host")
