"""The batch fold tells what the oracle tells, over drawn histories."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.spans import HOUR_MS
from services.sessionizer.core.batch import fold_history
from services.sessionizer.core.policy import SourceRules
from tests.oracle.compare import agree
from tests.oracle.oracle import judge
from tests.oracle.strategies import LATER, RULES, histories


@settings(max_examples=50, deadline=None)
@given(events=histories(), rules=RULES, later_ms=LATER)
def test_batch_fold_equals_the_oracle(
    events: list[Event], rules: SourceRules, later_ms: int
) -> None:
    as_of_ms = events[-1].ts_ms + later_ms
    core = fold_history(events, lambda _: rules, as_of_ms, 1)
    agree(judge(events, rules, as_of_ms), core)


@settings(max_examples=20, deadline=None)
@given(events=histories(), rules=RULES, others=st.sets(st.integers(0, 30)))
def test_sources_know_nothing_of_one_another(
    events: list[Event], rules: SourceRules, others: set[int]
) -> None:
    """The same visitors, carts, users and orders in two shops are not the same."""
    events = [
        msgspec.structs.replace(event, source="other") if at in others else event
        for at, event in enumerate(events)
    ]
    as_of_ms = events[-1].ts_ms + HOUR_MS
    whole = fold_history(events, lambda _: rules, as_of_ms, 1)
    agree(judge(events, rules, as_of_ms), whole)
    alone = fold_history([e for e in events if e.source == "shop"], lambda _: rules, as_of_ms, 1)
    ours = [row for row in whole.sessions if row.source == "shop"]
    assert [row.session_id for row in ours] == [row.session_id for row in alone.sessions]


@settings(max_examples=30, deadline=None)
@given(events=histories(), rules=RULES, data=st.data())
def test_order_and_repeats_change_nothing_in_a_batch(
    events: list[Event], rules: SourceRules, data: st.DataObject
) -> None:
    as_of_ms = events[-1].ts_ms + HOUR_MS
    again = [msgspec.structs.replace(e, received_ms=e.received_ms + 5, value=1) for e in events]
    mixed = data.draw(st.permutations([*events, *again]), label="order")
    core = fold_history(mixed, lambda _: rules, as_of_ms, 1)
    agree(fold_history(events, lambda _: rules, as_of_ms, 1), core)
