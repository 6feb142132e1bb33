"""The batch fold tells what the oracle tells, over drawn histories."""

from hypothesis import given, settings

from schemas.event import Event
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
