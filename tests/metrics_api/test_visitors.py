"""Visitors: the live view, the past beside it, the timeline, export and erasure."""

import asyncio
from typing import Any

import msgspec

from schemas.event import Event
from schemas.rows import CartRow, SessionRow
from services.common.errors import UnavailableError
from tests.metrics_api.conftest import HOUR, NOW, READ_ALL, Away, Get, World, uid

SESSION = SessionRow(
    source="shop",
    visitor_id="v1",
    session_id=uid(1),
    started_ms=NOW - 60_000,
    ended_ms=NOW - 30_000,
    current_stage="intent",
    cart_id=uid(2),
)
CART = CartRow(
    source="shop",
    visitor_id="v1",
    cart_id=uid(2),
    session_id=uid(1),
    opened_ms=NOW - 60_000,
    last_activity_ms=NOW - 30_000,
    value=1299,
    currency="KWD",
)


def here(world: World) -> None:
    world.live.visitors["shop", "v1"] = {
        "current_stage": "intent",
        "furthest_stage": "intent",
        "lifetime_stage": "intent",
        "open_session": msgspec.to_builtins(SESSION),
        "cart": msgspec.to_builtins(CART),
        "last_event_ms": NOW - 30_000,
        "next_deadline_ms": NOW + 1_770_000,
    }


async def test_who_is_here_is_told_from_the_live_view(world: World, get: Get) -> None:
    here(world)
    told = await get("/v1/visitors/v1")
    assert told["current_stage"] == "intent"
    assert told["next_deadline_ms"] == NOW + 1_770_000
    assert told["open_session"]["session_id"] == uid(1)
    assert told["open_session"]["cart_outcome"] == "open"
    assert told["cart"]["value"] == "1.299"
    assert "timeline" not in told
    assert told["past_known"] is True


async def test_a_visit_names_how_its_cart_ended_before_storage_knows(
    world: World, get: Get
) -> None:
    here(world)
    world.cart(2)
    world.live.visitors["shop", "v1"]["cart"] = None
    paid = msgspec.structs.replace(CART, outcome="converted")
    world.live.carts_now[uid(2)] = msgspec.to_builtins(paid)
    told = await get("/v1/visitors/v1")
    assert (told["cart"], told["open_session"]["cart_outcome"]) == (None, "converted")


async def test_while_storage_is_away_the_live_state_is_told_alone(world: World) -> None:
    here(world)
    world.storage = Away(UnavailableError("storage does not answer"))  # type: ignore[assignment]
    async with world.client() as client:
        told = (await client.get("/v1/visitors/v1?timeline=true")).json()
        gone = await client.get("/v1/visitors/gone")
    assert (told["past_known"], told["current_stage"], told["timeline"]) == (False, "intent", None)
    session = told["open_session"]
    assert (session["session_id"], session["cart_outcome"]) == (uid(1), "open")
    assert (session["orders"], session["revenue"]) == (None, None)
    assert told["cart"]["value"] == "1.299"
    assert (gone.status_code, gone.json()["code"]) == (503, "unavailable")


class Silent:
    """Storage that takes every question and answers none."""

    async def query(
        self, sql: str, parameters: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        await asyncio.Event().wait()
        return []


async def test_a_silent_storage_keeps_nobody_waiting_for_the_live_state(world: World) -> None:
    here(world)
    world.reads = Silent()
    async with world.client(past_patience_s=0.05) as client, asyncio.timeout(60):
        told = (await client.get("/v1/visitors/v1")).json()
    assert (told["past_known"], told["current_stage"]) == (False, "intent")


async def test_the_past_raises_the_lifetime_stage(world: World, get: Get) -> None:
    here(world)
    world.closed(5, furthest_stage="purchase", started_ms=NOW - 900 * HOUR)
    world.closed(6, furthest_stage="engagement", started_ms=NOW - 800 * HOUR)
    assert (await get("/v1/visitors/v1"))["lifetime_stage"] == "purchase"


async def test_who_is_gone_is_told_by_the_past_alone(world: World, get: Get) -> None:
    row = world.closed(5, furthest_stage="interest")
    told = await get("/v1/visitors/v1")
    assert (told["current_stage"], told["open_session"], told["cart"]) == ("", None, None)
    assert (told["lifetime_stage"], told["last_event_ms"]) == ("interest", row.ended_ms)


async def test_the_timeline_has_the_sessions_newest_first(world: World, get: Get) -> None:
    world.closed(1, started_ms=NOW - 9 * HOUR, bot=True)
    world.closed(2, started_ms=NOW - 5 * HOUR)
    world.closed(3, visitor_id="other")
    told = await get("/v1/visitors/v1", timeline="true")
    assert [row["session_id"] for row in told["timeline"]] == [uid(2), uid(1)]


async def test_the_timeline_begins_with_the_visit_that_is_under_way(world: World, get: Get) -> None:
    here(world)
    world.session(1, current_stage="discovery", started_ms=NOW - 60_000)
    world.closed(5, started_ms=NOW - 9 * HOUR)
    told = await get("/v1/visitors/v1", timeline="true")
    stages = [(row["session_id"], row["current_stage"]) for row in told["timeline"]]
    assert stages == [(uid(1), "intent"), (uid(5), "")]


async def test_an_id_with_a_slash_or_another_script_is_found(world: World, get: Get) -> None:
    world.closed(1, visitor_id="زائر")
    assert (await get("/v1/visitors/%D8%B2%D8%A7%D8%A6%D8%B1"))["visitor_id"] == "زائر"
    world.closed(2, visitor_id="user:a/b")
    assert (await get("/v1/visitors/user:a%2Fb"))["visitor_id"] == "user:a/b"


async def test_an_export_holds_all_that_is_stored_and_nobody_elses(world: World, get: Get) -> None:
    for visitor, number in (("v1", 1), ("v2", 2)):
        user = f"u{number}"
        world.events(
            Event("click", f"e{number}", "shop", visitor, NOW - HOUR, NOW - HOUR, user_id=user)
        )
        world.closed(number, visitor_id=visitor, user_id=user)
        world.cart(number, visitor_id=visitor, user_id=user)
        world.order(f"o{number}", visitor_id=visitor, user_id=user)
        world.signal(number, visitor_id=visitor, user_id=user)
    for path in ("/v1/visitors/v1/export", "/v1/users/u1/export"):
        told = await get(path)
        assert [row["event_id"] for row in told["events"]] == ["e1"]
        assert [row["session_id"] for row in told["sessions"]] == [uid(1)]
        assert [row["cart_id"] for row in told["carts"]] == [uid(1)]
        assert [row["order_id"] for row in told["orders"]] == ["o1"]
        assert [row["signal_id"] for row in told["signals"]] == [uid(1)]


async def test_erasure_goes_to_the_whole_of_the_process(world: World) -> None:
    async with world.client(READ_ALL) as client:
        answer = await client.delete("/v1/visitors/v1", params={"source": "shop"})
    assert answer.json() == {"source": "shop", "visitor_id": "v1", "erased": {"events": 1}}
    assert world.forget.asked == [("shop", "v1", "")]
