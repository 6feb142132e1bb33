"""How far a rebuild may go where a live fold goes on."""

from schemas.rows import CartRow, Outcome, SessionRow, SignalRow
from services.history.cut import NEVER, TimedRow, cut_ms


def session(start: int, closed: int | None) -> SessionRow:
    return SessionRow(
        source="s",
        visitor_id="v",
        session_id=f"s{start}",
        started_ms=start,
        ended_ms=start,
        closed_ms=closed,
    )


def cart(opened: int, last: int, outcome: Outcome) -> CartRow:
    return CartRow(
        source="s",
        visitor_id="v",
        cart_id=f"c{opened}",
        session_id="",
        opened_ms=opened,
        last_activity_ms=last,
        outcome=outcome,
    )


def signal(at: int) -> SignalRow:
    return SignalRow(
        source="s", visitor_id="v", signal_id=f"g{at}", kind="bounce", at_ms=at, emitted_ms=at
    )


def test_with_nothing_open_live_everything_may_be_replaced() -> None:
    assert cut_ms([session(1, 5), session(10, None), signal(12)], NEVER) == NEVER


def test_what_live_holds_open_and_later_is_left_alone() -> None:
    assert cut_ms([session(1, 5), session(10, None), signal(12)], 10) == 10


def test_a_rebuilt_session_that_reaches_into_the_live_one_is_left_alone_whole() -> None:
    assert cut_ms([session(1, 5), session(6, None)], 10) == 6


def test_a_cart_that_spans_a_session_left_alone_is_left_alone_too() -> None:
    rows: list[TimedRow] = [cart(3, 8, "converted"), session(6, 12), session(1, 5)]
    assert cut_ms(rows, 10) == 1


def test_an_abandoned_cart_is_not_over() -> None:
    assert cut_ms([cart(3, 4, "abandoned")], 10) == 3
    assert cut_ms([cart(3, 4, "lost")], 10) == 10
