"""The one fold: events of one visitor in order, deadlines between them.

The partition, the live view, a dry run and the batch fold all come here, so that they cannot
differ. DESIGN, *The fold* 2 and 3.
"""

from collections.abc import Sequence

from services.sessionizer.core import visitor as machine
from services.sessionizer.core.admission import AFTER_ALL, Waiting
from services.sessionizer.core.codec import State
from services.sessionizer.core.out import Out
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import Visitor


def meet(state: State, source: str, address: str) -> Visitor:
    """Return the state's visitor, a new one where there was none."""
    if state.visitor is None:
        state.visitor = machine.new_visitor(source, address)
    return state.visitor


def fold_run(state: State, run: Sequence[Waiting], rules: SourceRules, out: Out) -> None:
    """Fold events that stand in fold order and none of which sorts before the frontier.

    The state has met its visitor; there is at least one event.
    """
    visitor, fold = state.visitor, machine.fold
    assert visitor is not None  # noqa: S101  the caller's promise, for the type checker
    for item in run:
        fold(visitor, item[4], rules, out)
    state.frontier = item[:3]


def pass_time(state: State, until_ms: int, rules: SourceRules, out: Out) -> bool:
    """Fire the deadlines strictly before a time; tell whether there was one."""
    visitor = state.visitor
    if visitor is None:
        return False
    fired = False
    due = machine.next_deadline(visitor, rules)
    while due is not None and due < until_ms:
        machine.advance(visitor, due + 1, rules, out)
        state.frontier = (due, AFTER_ALL, "")
        fired = True
        due = machine.next_deadline(visitor, rules)
    return fired


def late_order(state: State, item: Waiting, rules: SourceRules, out: Out) -> None:
    """Let an order act that sorts before the frontier, on carts only."""
    if state.visitor is not None:
        machine.late_order(state.visitor, item[4], rules, out)
