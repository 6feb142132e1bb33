"""Laws of the visitor machine itself: every state takes every event, and time never runs back."""

from itertools import product
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings

from schemas.event import Event, EventType, Form, Perf, Survey
from schemas.rows import CartRow, OrderRow, SessionRow, SignalRow
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.batch import fold_history
from services.sessionizer.core.codec import Codec, head_of
from services.sessionizer.core.policy import Bots, Policy, SourceRules
from tests.oracle.compare import agree
from tests.oracle.feed import MINUTE, Feed
from tests.oracle.oracle import judge
from tests.oracle.shop import DAY, HOUR, RULES, T0, TEA, does, rows_of
from tests.oracle.strategies import RULES as ANY_RULES
from tests.oracle.strategies import histories
from tests.oracle.timeline import in_fold_order

ADD = does("cart_add", 0, products=[TEA])
BUY = does("purchase", MINUTE, order_id="O")
STATES: dict[str, list[Event]] = {
    "unknown": [],
    "passive only": [does("identify", 0, user_id="U")],
    "browsing": [does("page_view", 0, path="/")],
    "closed": [does("page_view", -DAY, path="/")],
    "open cart": [ADD],
    "checkout": [ADD, does("checkout_start", 1)],
    "emptied": [ADD, does("cart_remove", 1, products=[TEA])],
    "converted": [ADD, BUY],
    "abandoned": [does("cart_add", -DAY, products=[TEA])],
    "checkout abandoned": [does("checkout_start", -20 * MINUTE)],
    "reopened": [does("cart_add", -DAY, products=[TEA]), does("page_view", 0)],
    "recovered": [does("cart_add", -DAY, products=[TEA]), BUY],
    "lost": [does("cart_add", -9 * DAY, products=[TEA])],
    "past buyer": [does("purchase", -2 * DAY, order_id="P")],
    "past buyer back": [does("purchase", -2 * DAY, order_id="P"), does("page_view", 0)],
    "machine": [does("click", 0, event_id=f"c{n}") for n in range(9)],
}
WITH: dict[str, Any] = {
    "form": Form(form_id="f", error="bad"),
    "perf": Perf(lcp_ms=9_000.0),
    "survey": Survey(kind="open", comment="too dear"),
    "path": "/a",
    "page_kind": "product",
    "order_id": "O",
    "value": 5_000,
    "products": [TEA],
    "coupon_status": "denied",
    "results_count": 0,
    "engaged_ms": 11_000,
}


QUICK = SourceRules(policy=Policy(bots=Bots(per_second=8)))
ORIGINS = ("client", "server")
FULL_OR_BARE: list[dict[str, Any]] = [{}, WITH]


@pytest.mark.parametrize("kind", get_args(EventType))
def test_every_state_takes_every_event_as_the_oracle_does(kind: str) -> None:
    """Bare and full, from shopper and backend; an hour later all but carts has come to rest."""
    for (state, before), origin, fields in product(STATES.items(), ORIGINS, FULL_OR_BARE):
        events = [*before, does(kind, 2 * MINUTE, origin=origin, **fields)]
        core = fold_history(events, lambda _: QUICK, T0 + HOUR, 1)
        try:
            agree(judge(events, QUICK, T0 + HOUR), core)
        except AssertionError as error:
            error.add_note(f"{kind} from {origin} in state {state}")
            raise
        assert all(row.started_ms <= row.ended_ms for row in core.sessions)


class Heard:
    """Takes rows in the order in which they are emitted."""

    def __init__(self) -> None:
        self.clock_ms = 0
        self.last = 0
        self.signals: list[SignalRow] = []

    def version(self) -> int:
        self.last += 1
        return self.last

    def session(self, row: SessionRow) -> None:
        assert row.version <= self.last

    def cart(self, row: CartRow) -> None:
        assert row.version <= self.last

    def order(self, row: OrderRow) -> None:
        assert row.version <= self.last

    def signal(self, row: SignalRow) -> None:
        self.signals.append(row)


@settings(max_examples=50, deadline=None)
@given(events=histories(("v",)), rules=ANY_RULES)
def test_deadlines_never_move_before_what_they_guard(
    events: list[Event], rules: SourceRules
) -> None:
    """After each event the next deadline lies after it, and what is told is told in time order."""
    heard, visitor = Heard(), machine.new_visitor("shop", "v")
    active_ms = 0
    for item in in_fold_order(events, "v"):
        machine.fold(visitor, item.event, rules, heard)
        active_ms = item.ts if item.active else active_ms
        due = machine.next_deadline(visitor, rules)
        assert due is None or due >= item.ts
        assert machine.is_idle(visitor) is (due is None)
        shortest = min(rules.policy.cart.checkout_idle_ms, rules.policy.session.gap_ms)
        for signal in heard.signals:
            if signal.kind in ("cart_abandoned", "checkout_abandoned", "bounce"):
                assert not 0 <= signal.at_ms - active_ms < shortest
    while (due := machine.next_deadline(visitor, rules)) is not None:
        machine.advance(visitor, due, rules, heard)
        assert machine.next_deadline(visitor, rules) == due
        machine.advance(visitor, due + 1, rules, heard)
        after = machine.next_deadline(visitor, rules)
        assert after is None or after > due
    times = [signal.at_ms for signal in heard.signals]
    assert times == sorted(times)
    assert machine.is_idle(visitor)


@settings(max_examples=30, deadline=None)
@given(events=histories(), rules=ANY_RULES)
def test_states_at_rest_survive_decoding_and_encoding_byte_for_byte(
    events: list[Event], rules: SourceRules
) -> None:
    feed, codec = Feed(rules), Codec()
    for event in events:
        feed.append(event.ts_ms, [event])
    feed.commit()
    feed.quiet(events[-1].ts_ms + MINUTE)
    assert feed.states.kept
    for data in feed.states.kept.values():
        assert codec.encode(codec.decode(data), head_of(data)) == data


def test_no_signal_is_told_twice_for_one_id() -> None:
    """A law of ids: session, cart and signal ids are each told for one thing only."""
    events = [*STATES["recovered"], does("cart_add", HOUR), does("purchase", HOUR, order_id="Q")]
    rows = rows_of(events, 2 * DAY, RULES)
    told = [msgspec.structs.asdict(row)["signal_id"] for row in rows.signals]
    assert len(told) == len(set(told))
