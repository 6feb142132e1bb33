"""The batch fold carries orders along links as the stream does, and takes each id once."""

import random

from schemas.event import Event
from services.sessionizer.core.batch import fold_history
from tests.core.streams import HOUR, MINUTE, RULES, SECOND, T0, Stream, event

HISTORY = [
    event("cart_add", 0, visitor="phone", user_id="u", cart_id="c"),
    event("page_view", MINUTE, visitor="laptop", user_id="u"),
    event("purchase", 2 * MINUTE, "paid", visitor="laptop", user_id="u", order_id="o", value=5),
    event("cart_add", 3 * MINUTE, visitor="other", cart_id="d"),
    event("purchase", 4 * MINUTE, "hook", visitor="", cart_id="d", order_id="p", origin="server"),
    event("page_view", 5 * MINUTE, visitor="gone"),
]


def test_a_stream_and_a_batch_give_the_same_rows() -> None:
    stream = Stream()
    for item in HISTORY:
        stream.send(item.ts_ms - T0 + SECOND, item)
        stream.quiet(item.ts_ms - T0 + SECOND, item.ts_ms - T0 + MINUTE)
    stream.quiet(6 * MINUTE, 2 * HOUR)
    rows = fold_history(HISTORY, lambda _: RULES, T0 + 2 * HOUR, 0)
    assert {row.session_id for row in rows.sessions} == set(stream.rows["sessions"])
    assert {row.signal_id for row in rows.signals} == set(stream.rows["signals"])
    assert {(row.cart_id, row.outcome) for row in rows.carts} == {
        (key, row["outcome"]) for key, row in stream.rows["carts"].items()
    }


def test_the_order_and_number_of_what_is_given_do_not_matter() -> None:
    rows = fold_history(HISTORY, lambda _: RULES, T0 + HOUR, 0)
    for seed in range(5):
        given = HISTORY * 2
        random.Random(seed).shuffle(given)
        again = fold_history(given, lambda _: RULES, T0 + HOUR, 0)
        assert {row.signal_id for row in again.signals} == {row.signal_id for row in rows.signals}
        assert len(again.orders) == len(rows.orders)


def test_what_a_stream_sent_on_the_way_is_found_anew() -> None:
    on_the_way = [
        Event(type="__link", source="shop", visitor_id="gone", ts_ms=T0, to="cart:d"),
        event("purchase", 4 * MINUTE, "hook", visitor="", cart_id="d", order_id="p", to="gone"),
    ]
    rows = fold_history([*HISTORY, *on_the_way], lambda _: RULES, T0 + HOUR, 0)
    assert {row.visitor_id for row in rows.orders} == {"laptop", "cart:d", "other"}


def test_an_as_of_before_the_deadline_leaves_it_undecided() -> None:
    cart = [event("cart_add", 0)]
    early = fold_history(cart, lambda _: RULES, T0 + 30 * MINUTE + 30_000, 0)
    assert [row.outcome for row in early.carts] == ["open"]
    later = fold_history(cart, lambda _: RULES, T0 + 30 * MINUTE + 30_001, 0)
    assert [row.outcome for row in later.carts] == ["abandoned"]


def test_versions_are_above_the_one_given() -> None:
    rows = fold_history(HISTORY, lambda _: RULES, T0, 1 << 62)
    assert min(row.version for row in rows.sessions) > 1 << 62
