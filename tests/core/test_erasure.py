"""Erasure at its place in the log: what is forgotten, what is not, and restarts forget too."""

import pytest

from schemas.event import Event
from services.sessionizer.core.codec import Codec
from tests.core.streams import HOUR, MINUTE, SECOND, T0, Stream, event


def forget(visitor: str = "v", to: str = "", user: str = "") -> Event:
    return Event(
        type="__forget",
        source="shop",
        visitor_id=visitor,
        user_id=user,
        ts_ms=T0,
        to=to or visitor,
    )


def told(stream: Stream, visitor: str = "v") -> int:
    tables = ("sessions", "carts", "orders", "signals", "event_flags")
    rows = [row for table in tables for row in stream.rows.get(table, {}).values()]
    return sum(row["visitor_id"] == visitor for row in rows)


def test_what_waits_and_what_is_open_is_forgotten_and_says_nothing_more() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0), event("page_view", 0, visitor="w"))
    stream.quiet(SECOND, 40 * SECOND)
    stream.send(45 * SECOND, event("page_view", 44 * SECOND))
    before = told(stream)
    assert before > 0
    stream.send(50 * SECOND, forget())
    assert stream.partition.visitor("shop", "v") is None
    assert stream.partition.open_carts("shop") == 0
    assert sum(stream.partition.live_visitors("shop").values()) == 1
    stream.quiet(51 * SECOND, HOUR)
    assert told(stream) == before
    assert all(row["open"] for row in stream.sessions())
    assert [row["open"] for row in stream.sessions("w")] == [False]


def test_two_hours_later_nothing_is_left() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.send(MINUTE, forget())
    assert b"shop\x1fv" in stream.states.kept
    stream.quiet(MINUTE, 2 * HOUR + 2 * MINUTE, 20 * SECOND)
    assert b"shop\x1fv" not in stream.states.kept


def test_whoever_comes_again_is_a_new_visitor() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 40 * SECOND)
    stream.send(50 * SECOND, forget())
    stream.send(60 * SECOND, event("page_view", 60 * SECOND, "again"))
    live = stream.partition.visitor("shop", "v")
    assert live is not None
    assert live["cart"] is None
    assert live["open_session"]["events"] == 1
    stream.quiet(61 * SECOND, HOUR)
    assert stream.flags() == []


@pytest.mark.parametrize("crash_after", range(8))
def test_a_restart_brings_nobody_back(crash_after: int) -> None:
    story = [
        (0, [event("page_view", 0), event("cart_add", 1, cart_id="c")]),
        (20 * SECOND, [event("page_view", 19 * SECOND, path="/b")]),
        (40 * SECOND, [event("scroll", 39 * SECOND)]),
        (45 * SECOND, [event("page_view", 44 * SECOND, visitor="w")]),
        (50 * SECOND, [forget(), forget(to="cart:c")]),
        (52 * SECOND, [event("page_view", 51 * SECOND, visitor="w")]),
        (70 * SECOND, [event("page_view", 69 * SECOND, "again")]),
        (90 * SECOND, [event("scroll", 89 * SECOND, visitor="w")]),
    ]
    stream = Stream()
    for number, (at, events) in enumerate(story):
        stream.send(at, *events)
        if events[0].type == "__forget":
            stream.rows.clear()
        if number == crash_after:
            stream.crash()
            stream.commit(at)
    stream.quiet(91 * SECOND, HOUR)
    mine = [row for row in stream.sessions() if row["visitor_id"] == "v"]
    assert [row["events"] for row in mine] == [1]
    assert stream.rows.get("carts", {}) == {}
    assert stream.flags() == []


def test_what_was_sent_from_before_is_not_sent_again_after_a_restart() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, visitor="w"))
    stream.send(SECOND, event("cart_add", SECOND, cart_id="c", user_id="u"))
    stream.send(2 * SECOND, forget(), forget(to="cart:c"), forget(to="user:u"))
    assert b"shop\x1fcart:c" not in stream.states.kept
    sent = len(stream.forwards)
    stream.crash()
    stream.commit(3 * SECOND)
    assert len(stream.forwards) == sent
    assert b"shop\x1fcart:c" not in stream.states.kept


def test_an_alias_forgets_one_of_those_who_share_it() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0, cart_id="c"))
    stream.send(SECOND, event("cart_add", SECOND, visitor="w", cart_id="c"))
    stream.send(
        2 * SECOND,
        event("purchase", 2 * SECOND, "paid", cart_id="c", order_id="o", value=5),
        event("purchase", 2 * SECOND, "hook", visitor="", user_id="u", cart_id="c", value=5),
    )
    stream.send(3 * SECOND, forget(to="cart:c", user="u"))
    alias = Codec().decode(stream.states.kept[b"shop\x1fcart:c"]).alias
    assert alias is not None
    assert list(alias.linked) == ["w"]
    assert alias.orders == []


def test_an_erasure_that_names_nobody_is_poison() -> None:
    stream = Stream()
    (poison,) = stream.send(0, Event(type="__forget", source="shop", ts_ms=T0, to="v"))
    assert poison.reason == "a forget needs visitor_id and to"
