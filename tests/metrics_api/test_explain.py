"""Explanations: rows made by the real fold from stored events, explained from the same events."""

from typing import Any

import msgspec
import pytest

from schemas.event import Event, Perf, Product
from services.metrics_api.explain_rules import RULES, rule_of
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Policy, Session, SourceRules
from tests.metrics_api.conftest import HOUR, NOW, Get, World

START = NOW - 5 * HOUR
SENT = START + HOUR
MUG = [Product("p1", "Mug", "kitchen", 1299)]


def stored(world: World, *events: Event) -> Rows:
    """Store events and the rows that the fold makes of them."""
    world.events(*events)
    rows = fold_history(events, lambda _: SourceRules(), NOW, 0)
    for table in ("sessions", "carts", "orders", "signals"):
        lines = [msgspec.json.encode(row) for row in getattr(rows, table)]
        if lines:
            world.insert(table, *lines)
    return rows


def left_cart(world: World) -> Rows:
    return stored(
        world,
        Event("page_view", "e1", "shop", "v1", START, SENT, path="/", page_kind="home"),
        Event("cart_add", "e2", "shop", "v1", START + 5_000, SENT, products=MUG, currency="EUR"),
        Event("click", "e3", "shop", "v1", START + 9_000, SENT, element="#x"),
    )


def only(rows: list[Any], **fields: str) -> Any:
    found = [row for row in rows if all(getattr(row, k) == v for k, v in fields.items())]
    assert len(found) == 1
    return found[0]


async def test_an_abandoned_cart_is_explained_by_rule_threshold_and_clock(
    world: World, get: Get
) -> None:
    signal = only(left_cart(world).signals, kind="cart_abandoned")
    told = await get(f"/v1/explain/{signal.signal_id}")
    assert told["kind"] == "signal"
    assert told["entity"]["kind"] == "cart_abandoned"
    assert told["thresholds"] == {"cart.idle_ms": 1_800_000}
    assert told["clock"]["decided_ms"] == START + 9_000 + 1_800_000
    assert told["policy_version"] == told["policy_version_now"] == 1
    assert "30 min" in told["text"]
    assert told["reproduced"] is True
    assert [event["event_id"] for event in told["events"]] == ["e2", "e3"]


async def test_a_cart_and_a_session_are_explained_too(world: World, get: Get) -> None:
    rows = left_cart(world)
    cart = await get(f"/v1/explain/{rows.carts[0].cart_id}")
    assert (cart["kind"], cart["reproduced"]) == ("cart", True)
    assert cart["clock"]["decided_ms"] == rows.carts[0].abandoned_ms
    assert "12.99 EUR" in cart["text"]
    session = await get(f"/v1/explain/{rows.sessions[0].session_id}")
    assert (session["kind"], session["reproduced"]) == ("session", True)
    assert [event["event_id"] for event in session["events"]] == ["e1", "e2", "e3"]


async def test_a_left_checkout_is_told_by_its_own_threshold(world: World, get: Get) -> None:
    rows = stored(
        world,
        Event("cart_add", "e1", "shop", "v1", START, SENT, products=MUG),
        Event("checkout_start", "e2", "shop", "v1", START + 1_000, SENT),
    )
    cart = await get(f"/v1/explain/{rows.carts[0].cart_id}")
    assert cart["thresholds"] == {"cart.checkout_idle_ms": 900_000}


async def test_friction_shows_the_event_that_completed_it(world: World, get: Get) -> None:
    rows = stored(
        world,
        Event("page_view", "e1", "shop", "v1", START, SENT, path="/"),
        Event("performance", "e2", "shop", "v1", START + 1, SENT, perf=Perf(lcp_ms=9_000)),
    )
    signal = only(rows.signals, kind="slow_page")
    told = await get(f"/v1/explain/{signal.signal_id}")
    assert [event["event_id"] for event in told["events"]] == ["e2"]
    assert "4 s" in told["rule"]["text"]


async def test_a_bounce_shows_its_whole_visit(world: World, get: Get) -> None:
    rows = stored(world, Event("page_view", "e1", "shop", "v1", START, SENT, path="/"))
    told = await get(f"/v1/explain/{only(rows.signals, kind='bounce').signal_id}")
    assert [event["event_id"] for event in told["events"]] == ["e1"]
    assert told["thresholds"] == {"session.engaged_ms": 10_000, "session.engaged_page_views": 2}


async def test_an_order_of_another_device_is_found_over_the_cart(world: World, get: Get) -> None:
    rows = stored(
        world,
        Event("cart_add", "e1", "shop", "v1", START, SENT, products=MUG, cart_id="c1"),
        Event(
            "purchase", "e2", "shop", ts_ms=START + 60_000, received_ms=SENT, cart_id="c1",
            order_id="o1", value=1299, origin="server",
        ),
    )  # fmt: skip
    cart = only(rows.carts, visitor_id="v1")
    told = await get(f"/v1/explain/{cart.cart_id}")
    assert told["entity"]["outcome"] == "converted"
    assert told["reproduced"] is True


async def test_what_the_events_no_longer_say_is_not_passed_off_as_reproduced(
    world: World, get: Get
) -> None:
    world.cart(7, outcome="lost", bucket_ms=START, abandoned_ms=START + 1, lost_ms=START + 2)
    told = await get("/v1/explain/00000000-0000-4000-8000-000000000007")
    assert (told["reproduced"], told["events"]) == (False, [])


async def test_a_row_of_another_policy_version_says_so(world: World, get: Get) -> None:
    world.closed(1, policy_version=4, bounced=True)
    told = await get("/v1/explain/00000000-0000-4000-8000-000000000001")
    assert (told["policy_version"], told["policy_version_now"]) == (4, 1)
    assert "version 4" in told["text"]


@pytest.mark.parametrize("kind", sorted(RULES))
def test_every_rule_has_words_without_open_places(kind: str) -> None:
    text = rule_of(kind, Policy()).text(Policy())
    assert text
    assert "{" not in text


def test_a_shop_that_counts_single_pages_is_told_that_rule() -> None:
    policy = Policy(session=Session(bounce="single_page"))
    assert "exactly one page view" in rule_of("bounce", policy).text(policy)
