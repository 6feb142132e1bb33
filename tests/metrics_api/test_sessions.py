"""Sessions: shape, joins, every filter, order, cursors."""

import httpx

from schemas.event import Event, Product
from schemas.rows import PageVisit
from tests.metrics_api.conftest import HOUR, NOW, Get, World, uid


async def test_a_session_answers_with_the_names_of_the_api(world: World, get: Get) -> None:
    world.closed(1, reached=["discovery"], furthest_stage="discovery", utm_source="ads")
    rows = (await get("/v1/sessions"))["rows"]
    assert len(rows) == 1
    named = (
        "session_id source visitor_id user_id started_ms ended_ms duration_ms open page_views "
        "interactions events entry_path exit_path channel utm_source utm_medium utm_campaign "
        "utm_term utm_content device country bot current_stage furthest_stage engaged bounced "
        "cart_id cart_outcome checkout_started checkout_step orders revenue currency friction "
        "causes stated_reason reached post_purchase policy_version"
    )
    assert set(named.split()) <= set(rows[0])
    assert rows[0]["session_id"] == uid(1)
    assert rows[0]["bounced"] is False
    assert rows[0]["cart_outcome"] == "none"
    assert (rows[0]["orders"], rows[0]["revenue"], rows[0]["currency"]) == (0, "0.00", "EUR")


async def test_an_open_session_tells_no_outcome_yet(world: World, get: Get) -> None:
    world.session(1)
    row = (await get("/v1/sessions"))["rows"][0]
    assert row["open"] is True
    assert (row["bounced"], row["engaged"], row["duration_ms"]) == (None, None, None)


async def test_the_newest_statement_of_a_session_is_the_only_one(world: World, get: Get) -> None:
    world.session(1)
    world.closed(1, page_views=7)
    rows = (await get("/v1/sessions"))["rows"]
    assert [(r["open"], r["page_views"]) for r in rows] == [(False, 7)]


async def test_a_session_taken_back_is_gone(
    world: World, get: Get, client: httpx.AsyncClient
) -> None:
    world.closed(1)
    world.closed(1, deleted=True)
    assert (await get("/v1/sessions"))["rows"] == []
    assert (await client.get(f"/v1/sessions/{uid(1)}")).status_code == 404


async def test_cart_outcome_orders_and_revenue_are_joined_when_read(world: World, get: Get) -> None:
    world.closed(1, cart_id=uid(50))
    world.cart(50, outcome="recovered")
    world.order("o1", session_id=uid(1), value=3579)
    world.order("o2", session_id=uid(1), value=100, provisional=True)
    row = (await get("/v1/sessions"))["rows"][0]
    assert row["cart_outcome"] == "recovered"
    assert (row["orders"], row["revenue"], row["currency"]) == (2, "35.79", "EUR")


async def test_currencies_of_a_session_are_never_added(world: World, get: Get) -> None:
    world.closed(1)
    world.order("o1", session_id=uid(1), value=3579)
    world.order("o2", session_id=uid(1), value=500, currency="JPY")
    row = (await get("/v1/sessions"))["rows"][0]
    assert (row["orders"], row["revenue"], row["currency"]) == (2, None, "")


async def test_every_filter_finds_its_session_and_no_other(world: World, get: Get) -> None:
    world.closed(
        1,
        visitor_id="found",
        user_id="u1",
        bounced=True,
        reached=["discovery", "interest"],
        furthest_stage="interest",
        friction=["slow_page"],
        channel="email",
        device="mobile",
        cart_id=uid(50),
        pages=[PageVisit("/مرحبا", "home", "", NOW - HOUR, None)],
    )
    world.cart(50, outcome="abandoned")
    world.closed(2, visitor_id="other", furthest_stage="intent", reached=["intent"])
    world.events(
        Event("product_view", "e1", "shop", "found", NOW - HOUR, products=[Product("p'1\\")])
    )
    for name, value in {
        "visitor_id": "found",
        "user_id": "u1",
        "bounced": "true",
        "stage": "Interest",
        "dropped_at": "interest",
        "friction": "slow_page",
        "channel": "email",
        "device": "mobile",
        "cart_outcome": "abandoned",
        "path": "/مرحبا",
        "product": "p'1\\",
    }.items():
        rows = (await get("/v1/sessions", **{name: value}))["rows"]
        assert [row["session_id"] for row in rows] == [uid(1)], name


async def test_none_asks_for_sessions_without_a_cart(world: World, get: Get) -> None:
    world.closed(1)
    world.closed(2, cart_id=uid(50))
    rows = (await get("/v1/sessions", cart_outcome="none"))["rows"]
    assert [row["session_id"] for row in rows] == [uid(1)]


async def test_who_ordered_or_is_still_here_has_not_dropped_out(world: World, get: Get) -> None:
    world.closed(1, furthest_stage="intent")
    world.closed(2, furthest_stage="intent")
    world.session(3, furthest_stage="intent")
    world.order("o1", session_id=uid(2))
    rows = (await get("/v1/sessions", dropped_at="intent"))["rows"]
    assert [row["session_id"] for row in rows] == [uid(1)]


async def test_machines_and_staff_are_out_unless_asked_for(world: World, get: Get) -> None:
    world.closed(1)
    world.closed(2, bot=True)
    world.closed(3, excluded=True)
    assert len((await get("/v1/sessions"))["rows"]) == 1
    assert len((await get("/v1/sessions", include_bots="true"))["rows"]) == 3


async def test_a_range_takes_its_start_and_not_its_end(world: World, get: Get) -> None:
    world.closed(1, started_ms=NOW - 2 * HOUR)
    world.closed(2, started_ms=NOW - HOUR)
    rows = (await get("/v1/sessions", **{"from": NOW - 2 * HOUR, "to": NOW - HOUR}))["rows"]
    assert [row["session_id"] for row in rows] == [uid(1)]


async def test_old_sessions_are_found_without_a_range(world: World, get: Get) -> None:
    world.closed(1, started_ms=1_570_000_000_000)
    assert len((await get("/v1/sessions"))["rows"]) == 1


async def test_pages_neither_repeat_nor_lose_a_row_while_others_come(
    world: World, get: Get
) -> None:
    for number in range(1, 8):
        # Three share one start, so that the id alone decides between them.
        world.closed(number, started_ms=NOW - HOUR - max(0, number - 3) * 1000)
    seen: list[str] = []
    more: dict[str, str] = {}
    while True:
        answer = await get("/v1/sessions", limit=2, **more)
        seen += [row["session_id"] for row in answer["rows"]]
        world.closed(100 + len(seen), started_ms=NOW - 1000)
        if answer["next"] is None:
            break
        more = {"cursor": answer["next"]}
    assert sorted(seen) == [uid(number) for number in range(1, 8)]


async def test_a_cursor_of_other_filters_is_refused(
    world: World, get: Get, client: httpx.AsyncClient
) -> None:
    world.closed(1)
    world.closed(2)
    cursor = (await get("/v1/sessions", limit=1))["next"]
    answer = await client.get("/v1/sessions", params={"cursor": cursor, "device": "mobile"})
    assert answer.status_code == 400
    assert "cursor" in answer.json()["message"]
    other = await client.get("/v1/carts", params={"cursor": cursor})
    assert other.status_code == 400
    assert "another list" in other.json()["message"]
    broken = await client.get("/v1/sessions", params={"cursor": "x!"})
    assert (broken.status_code, broken.json()["code"]) == (400, "invalid_parameter")


async def test_one_session_comes_with_the_events_that_made_it(world: World, get: Get) -> None:
    start = NOW - 5 * HOUR
    world.closed(
        1, started_ms=start, pages=[PageVisit("/a", "home", "", start, None)], entry_path="/a"
    )
    world.closed(2, started_ms=start + HOUR)
    world.events(
        Event("page_view", "before", "shop", "v1", start - 1),
        Event("page_view", "first", "shop", "v1", start, path="/a"),
        Event("cart_add", "second", "shop", "v1", start + 60_000, value=1299, currency="KWD"),
        Event("page_leave", "passive", "shop", "v1", start + 100_000),
        Event("page_view", "after", "shop", "v1", start + HOUR),
        Event("page_view", "another", "shop", "v2", start),
    )
    world.insert(
        "event_flags",
        b'{"source":"shop","visitor_id":"v1","event_id":"passive","ts_ms":1,"flag":"late"}',
    )
    whole = await get(f"/v1/sessions/{uid(1)}")
    assert [event["event_id"] for event in whole["timeline"]] == ["first", "second", "passive"]
    assert whole["timeline"][1]["value"] == "1.299"
    assert whole["timeline"][2]["flags"] == ["late"]
    assert whole["pages"] == [
        {"path": "/a", "page_kind": "home", "category": "", "at_ms": start, "time_ms": None}
    ]
