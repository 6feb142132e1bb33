"""Erasure at its place in the log: what is forgotten, what is not, and restarts forget too."""

import msgspec
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


def test_striking_a_visitor_out_leaves_nothing_and_nobody_else_loses() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0, cart_id="c"), event("page_view", 0, visitor="w"))
    stream.quiet(SECOND, 40 * SECOND)
    late = event("scroll", 44 * SECOND, visitor="w")
    stream.send(45 * SECOND, event("page_view", 44 * SECOND), late)
    copy = event("click", 44 * SECOND, "copy", visitor="w", user_id="u")
    stream.send(46 * SECOND, copy, event("click", 45 * SECOND, visitor="w"))
    keys = ["shop\x1fv", "shop\x1fcart:c"]
    went = stream.partition.strike(
        keys,
        lambda key, data: data if b"w" in key else None,
        lambda one: one.visitor_id == "v" or one.user_id == "u",
    )
    assert went == 2
    stream.commit(46 * SECOND)
    assert not stream.states.kept.keys() & {key.encode() for key in keys}
    assert stream.partition.visitor("shop", "v") is None
    assert stream.partition.open_carts("shop") == 0
    assert sum(stream.partition.live_visitors("shop").values()) == 1
    stream.quiet(47 * SECOND, HOUR)
    (visit,) = stream.sessions("w")
    assert (visit["open"], visit["events"]) == (False, 3)


def test_what_waits_beside_what_was_struck_out_is_known_again_after_a_restart() -> None:
    stream = Stream()
    events = [event("click", at, visitor="w", user_id="u" * (at == 2)) for at in (1, 2, 3)]
    stream.send(10, *events)
    assert stream.partition.strike([], lambda _, data: data, lambda one: one.user_id == "u") == 0
    stream.log = [record for record in stream.log if b"w" not in record.body]
    stream.send_bytes(20, b"\n".join(msgspec.json.encode(one) for one in events[::2]))
    stream.crash()
    stream.quiet(SECOND, HOUR)
    (visit,) = stream.sessions("w")
    assert visit["events"] == 2
    assert stream.flags() == []
