"""Carts, signals, orders, events, dead letters: shapes, filters, order, pages."""

import httpx
import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from schemas.event import Event, Product
from services.metrics_api.metric_query import settling
from services.metrics_api.reach import SLACK_MS
from services.sessionizer.core.policy import Time
from tests.metrics_api.conftest import HOUR, NOW, READ_ALL, READ_SHOP, Get, World, uid

MUG = Product("p1", "كوب", "kitchen", 1299, 2)


async def walk(get: Get, path: str, key: str, **parameters: object) -> list[str]:
    """Turn all pages of a list, two rows each, and return what they name."""
    seen: list[str] = []
    more: dict[str, str] = {}
    while True:
        answer = await get(path, limit=2, **parameters, **more)
        assert len(answer["rows"]) <= 2
        seen += [row[key] for row in answer["rows"]]
        if answer["next"] is None:
            return seen
        more = {"cursor": answer["next"]}


# carts


async def test_a_cart_answers_with_the_names_of_the_api(world: World, get: Get) -> None:
    world.cart(
        1, lines=[MUG], value=2598, abandoned_value=2598, abandoned_ms=NOW, outcome="abandoned"
    )
    cart = (await get("/v1/carts"))["rows"][0]
    named = (
        "cart_id client_cart_id cart_url source visitor_id user_id opened_ms last_activity_ms "
        "bucket_ms lines value currency outcome checkout_step abandoned_ms reopened_ms "
        "recovered_ms order_id abandoned_value lost_ms emptied_ms converted_ms "
        "marketing_consent friction causes stated_reason policy_version"
    )
    assert set(named.split()) <= set(cart)
    assert (cart["value"], cart["abandoned_value"], cart["currency"]) == ("25.98", "25.98", "EUR")
    assert cart["lines"][0]["name"] == "كوب"
    assert cart["lines"][0]["price"] == "12.99"
    assert cart == await get(f"/v1/carts/{uid(1)}")


async def test_a_cart_that_may_yet_end_is_shown_as_the_live_view_has_it(
    world: World, get: Get
) -> None:
    stored = world.cart(1, lines=[MUG], value=2598, abandoned_ms=NOW, outcome="abandoned")
    world.cart(2, outcome="lost")
    paid = replace(
        stored, outcome="recovered", order_id="o1", recovered_ms=NOW + 5, lines=[MUG, MUG]
    )
    world.live.carts_now = {uid(n): to_builtins(replace(paid, cart_id=uid(n))) for n in (1, 2)}
    cart = await get(f"/v1/carts/{uid(1)}")
    assert (cart["outcome"], cart["order_id"], cart["recovered_ms"]) == ("recovered", "o1", NOW + 5)
    assert (cart["abandoned_ms"], cart["value"], len(cart["lines"])) == (NOW, "25.98", 2)
    assert (await get(f"/v1/carts/{uid(2)}"))["outcome"] == "lost"


async def test_a_cart_whose_owner_moves_is_not_told_from_storage_alone(world: World) -> None:
    world.cart(1)
    world.cart(2, outcome="converted")
    world.live.moving = True
    async with world.client() as client:
        answers = [await client.get(f"/v1/carts/{uid(n)}") for n in (1, 2)]
    assert [answer.status_code for answer in answers] == [503, 200]


@pytest.mark.parametrize(
    ("currency", "value"), [("JPY", "2598"), ("KWD", "2.598"), ("EUR", "25.98")]
)
async def test_money_follows_the_decimals_of_its_currency(
    world: World, get: Get, currency: str, value: str
) -> None:
    world.cart(1, value=2598, currency=currency)
    assert (await get("/v1/carts"))["rows"][0]["value"] == value


async def test_every_filter_of_carts_finds_its_own(world: World, get: Get) -> None:
    world.cart(
        1,
        visitor_id="found",
        user_id="u1",
        client_cart_id="c-1",
        order_id="o1",
        outcome="converted",
        checkout_step="payment",
        friction=["error"],
        lines=[MUG],
    )
    world.cart(2)
    for name, value in {
        "visitor_id": "found",
        "user_id": "u1",
        "client_cart_id": "c-1",
        "order_id": "o1",
        "outcome": "converted",
        "checkout_step": "payment",
        "friction": "error",
        "product": "p1",
    }.items():
        rows = (await get("/v1/carts", **{name: value}))["rows"]
        assert [row["cart_id"] for row in rows] == [uid(1)], name


async def test_carts_come_newest_first_page_by_page(world: World, get: Get) -> None:
    for number in range(1, 6):
        world.cart(number, opened_ms=NOW - number * HOUR)
    assert await walk(get, "/v1/carts", "cart_id") == [uid(number) for number in range(1, 6)]


# signals


async def test_a_signal_answers_with_the_names_of_the_api(world: World, get: Get) -> None:
    world.signal(1, value=100, currency="JPY", lines=[MUG], details={"path": "/x"}, retracted=True)
    signal = (await get("/v1/signals"))["rows"][0]
    named = (
        "signal_id kind source visitor_id session_id cart_id at_ms emitted_ms user_id stage "
        "value currency cart_url lines marketing_consent version retracted causes details "
        "policy_version"
    )
    assert set(named.split()) <= set(signal)
    assert (signal["value"], signal["retracted"], signal["details"]) == (
        "100",
        True,
        {"path": "/x"},
    )
    assert signal == await get(f"/v1/signals/{uid(1)}")


async def test_every_filter_of_signals_finds_its_own(world: World, get: Get) -> None:
    world.signal(
        1,
        kind="stage_entered",
        visitor_id="found",
        user_id="u1",
        session_id=uid(7),
        cart_id=uid(8),
        stage="intent",
        retracted=True,
    )
    world.signal(2)
    for name, value in {
        "kind": "stage_entered,bounce",
        "visitor_id": "found",
        "user_id": "u1",
        "session_id": uid(7),
        "cart_id": uid(8),
        "stage": "Intent",
        "retracted": "true",
    }.items():
        rows = (await get("/v1/signals", **{name: value}))["rows"]
        assert [row["signal_id"] for row in rows] == [uid(1)], name
    assert len((await get("/v1/signals", kind=["stage_entered", "cart_abandoned"]))["rows"]) == 2


async def test_signals_come_newest_first_page_by_page(world: World, get: Get) -> None:
    for number in range(1, 6):
        world.signal(number, at_ms=NOW - number // 2)
    assert sorted(await walk(get, "/v1/signals", "signal_id")) == [uid(n) for n in range(1, 6)]


# orders


async def test_an_order_is_told_once_with_its_own_visitor(world: World, get: Get) -> None:
    world.order("o1", visitor_id="cart:c1", named=False, value=5000, at_ms=NOW - HOUR)
    world.order("o1", visitor_id="v1", value=5000, at_ms=NOW - HOUR, session_id=uid(1))
    world.order("o1", visitor_id="v1", event_id="again", value=9999, at_ms=NOW - 1000)
    rows = (await get("/v1/orders"))["rows"]
    assert [(r["order_id"], r["visitor_id"], r["value"]) for r in rows] == [("o1", "v1", "50.00")]
    assert rows[0]["session_id"] == uid(1)


@pytest.mark.parametrize("visitors", [("cart:c1", "v1"), ("v1", "cart:c1")])
async def test_of_two_copies_alike_a_visitors_goes_before_an_aliass_in_whatever_order_they_lie(
    world: World, get: Get, visitors: tuple[str, str]
) -> None:
    for visitor in visitors:
        world.order("o1", visitor_id=visitor, named=False, value=5000, at_ms=NOW - HOUR)
    rows = (await get("/v1/orders"))["rows"]
    assert [(r["order_id"], r["visitor_id"]) for r in rows] == [("o1", "v1")]


async def test_a_provisional_order_gives_way_to_the_servers_copy(world: World, get: Get) -> None:
    world.order("o1", event_id="browser", value=1, provisional=True, at_ms=NOW - HOUR)
    assert (await get("/v1/orders"))["rows"][0]["provisional"] is True
    world.order("o1", event_id="server", value=5000, at_ms=NOW - HOUR + 1000)
    order = (await get("/v1/orders"))["rows"][0]
    assert (order["provisional"], order["value"], order["event_id"]) == (False, "50.00", "server")


async def test_refunds_are_capped_and_a_cancel_keeps_its_time(world: World, get: Get) -> None:
    world.order("o1", value=5000)
    world.order("o1", event_id="r1", kind="refund", value=4000, at_ms=NOW - 10)
    world.order("o1", event_id="r2", kind="refund", value=4000, at_ms=NOW - 5)
    world.order("o1", event_id="c1", kind="cancel", at_ms=NOW - 3)
    world.order("o2", value=700)
    world.order("o2", event_id="r3", kind="refund", value=None, at_ms=NOW - 5)
    world.order("o3", value=700)
    rows = {row["order_id"]: row for row in (await get("/v1/orders"))["rows"]}
    assert (rows["o1"]["refunded"], rows["o1"]["cancelled_ms"]) == ("50.00", NOW - 3)
    assert (rows["o2"]["refunded"], rows["o2"]["cancelled_ms"]) == ("7.00", None)
    assert rows["o3"]["refunded"] == "0.00"


async def test_every_filter_of_orders_finds_its_own(world: World, get: Get) -> None:
    world.order("o1", visitor_id="found", user_id="u1", cart_id=uid(8), lines=[MUG])
    world.order("o2")
    for name, value in {
        "order_id": "o1",
        "visitor_id": "found",
        "user_id": "u1",
        "cart_id": uid(8),
    }.items():
        rows = (await get("/v1/orders", **{name: value}))["rows"]
        assert [row["order_id"] for row in rows] == ["o1"], name
        assert rows[0]["lines"][0]["price"] == "12.99"


async def test_orders_come_newest_first_page_by_page(world: World, get: Get) -> None:
    for number in range(1, 6):
        world.order(f"o{number}", at_ms=NOW - number * HOUR)
    assert await walk(get, "/v1/orders", "order_id") == ["o1", "o2", "o3", "o4", "o5"]


# events


async def test_events_show_money_in_major_units(world: World, get: Get) -> None:
    world.events(
        Event(
            "purchase",
            "e1",
            "shop",
            "v1",
            NOW - HOUR,
            NOW - HOUR,
            value=1299,
            tax=100,
            currency="KWD",
            products=[MUG],
            properties={"value": 7},
        )
    )
    event = (await get("/v1/events"))["rows"][0]
    assert (event["type"], event["value"], event["tax"]) == ("purchase", "1.299", "0.100")
    assert event["products"][0]["price"] == "1.299"
    assert event["properties"] == {"value": 7}


async def test_every_filter_of_events_finds_its_own(world: World, get: Get) -> None:
    world.events(
        Event(
            "custom",
            "found",
            "shop",
            "v'1",
            NOW - HOUR,
            NOW - HOUR,
            name="wish\tlist",
            user_id="u1",
            path="/תה",
            cart_id="c1",
            order_id="o1",
            products=[MUG],
            title="Ünïque 100%",
        ),
        Event("page_view", "other", "shop", "v2", NOW - HOUR, NOW - HOUR),
    )
    for name, value in {
        "type": "custom,click",
        "event_id": "found",
        "name": "wish\tlist",
        "visitor_id": "v'1",
        "user_id": "u1",
        "cart_id": "c1",
        "order_id": "o1",
        "path": "/תה",
        "product": "p1",
        "q": "ünïque 100%",
    }.items():
        rows = (await get("/v1/events", **{name: value}))["rows"]
        assert [row["event_id"] for row in rows] == ["found"], name


async def test_events_are_found_by_their_time_or_by_their_arrival(world: World, get: Get) -> None:
    world.events(
        Event("page_view", "late", "shop", "v1", NOW - 9 * HOUR, NOW - 1000),
        Event("page_view", "prompt", "shop", "v1", NOW - HOUR, NOW - HOUR),
    )
    assert await walk(get, "/v1/events", "event_id") == ["prompt", "late"]
    assert await walk(get, "/v1/events", "event_id", by="received") == ["late", "prompt"]


async def test_events_of_one_moment_are_all_on_some_page(world: World, get: Get) -> None:
    world.events(
        *(Event("click", f"e{n % 3}", "shop", f"v{n}", NOW - HOUR, NOW - HOUR) for n in range(7))
    )
    seen = await walk(get, "/v1/events", "visitor_id")
    assert sorted(seen) == [f"v{n}" for n in range(7)]


# how complete a list is


async def test_a_list_says_up_to_when_it_has_all_as_metrics_do(world: World) -> None:
    world.live.clock = NOW - 25_000  # storage and fold are behind, as after a crash
    app = world.app()
    transport = httpx.ASGITransport(app)
    settled_ms = world.live.clock - settling(Time())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:

        async def complete_to(path: str) -> int | None:
            answer = (await client.get(path)).json()
            assert list(answer) == ["rows", "next", "complete_to_ms"]
            told: int | None = answer["complete_to_ms"]
            return told

        assert await complete_to("/v1/sessions") is None, "the log was not looked at yet"
        await app.state.parts.gate.look()
        await app.state.parts.reach.look()
        assert await complete_to("/v1/sessions") is None, "what storage has is not known yet"
        world.clock.move(SLACK_MS)
        await app.state.parts.reach.look()
        for name in ("sessions", "carts", "signals", "orders", "events", "dead-letters"):
            assert await complete_to(f"/v1/{name}") == settled_ms
        for moment, complete in ((settled_ms, True), (settled_ms + 1, False)):
            asked = {"from": NOW - 2 * HOUR, "to": moment}
            rows = (await client.get("/v1/metrics/sessions", params=asked)).json()
            assert rows[0]["complete"] is complete
        world.live.moving = True
        await app.state.parts.gate.look()
        assert await complete_to("/v1/carts") == settled_ms, "as last seen"


# dead letters


async def test_what_was_refused_is_listed_with_its_original(world: World, get: Get) -> None:
    world.letter("d1", partition=3, offset=9, topic="waymark.events")
    world.letter("d2", code="too_old", field="", received_ms=NOW - 2 * HOUR)
    letter = (await get("/v1/dead-letters", code="invalid_field"))["rows"][0]
    named = "id source received_ms code field message topic partition offset original"
    assert set(named.split()) <= set(letter)
    assert (letter["id"], letter["partition"], letter["offset"]) == ("d1", 3, 9)
    assert letter["original"] == '{"type":"page_view"}'
    assert await walk(get, "/v1/dead-letters", "id") == ["d1", "d2"]
    assert await walk(get, "/v1/dead-letters", "id", field="ts_ms") == ["d1"]


async def test_records_that_name_no_source_are_for_who_may_see_every_source(world: World) -> None:
    world.source("rival")
    world.letter("ours")
    world.letter("theirs", source="rival")
    world.letter("unreadable", source="", code="unreadable", topic="waymark.events")
    seen = {}
    for token in (READ_ALL, READ_SHOP):
        async with world.client(token, open_reads=False) as client:
            answer = await client.get("/v1/dead-letters", params={"source": "shop"})
        seen[token] = {row["id"] for row in answer.json()["rows"]}
    assert seen == {READ_ALL: {"ours", "unreadable"}, READ_SHOP: {"ours"}}


@pytest.mark.parametrize("path", ["carts", "signals", "orders", "events", "dead-letters"])
async def test_a_range_of_any_list_takes_its_start_and_not_its_end(
    world: World, client: httpx.AsyncClient, path: str
) -> None:
    for number, moment in enumerate((NOW - 2 * HOUR, NOW - HOUR)):
        world.cart(number, opened_ms=moment)
        world.signal(number, at_ms=moment)
        world.order(f"o{number}", at_ms=moment)
        world.events(Event("click", f"e{number}", "shop", "v1", moment, moment))
        world.letter(f"d{number}", received_ms=moment)
    range_ = {"from": str(NOW - 2 * HOUR), "to": str(NOW - HOUR)}
    answer = await client.get(f"/v1/{path}", params=range_)
    assert len(answer.json()["rows"]) == 1, answer.text
