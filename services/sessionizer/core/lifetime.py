"""How long a state is kept once its visitor has gone (DESIGN, *The fold* 5; ADR 2, A5)."""

from schemas.spans import DAY_MS
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.codec import State
from services.sessionizer.core.links import SLACK_DAYS, day_of, expires_day, prune
from services.sessionizer.core.policy import Policy


def forgotten_ms(state: State, policy: Policy) -> int:
    """Return when an idle visitor's state shrinks or goes, 0 for a state without a visitor.

    A stub (frontier and id hashes) stays 2 hours after the later of the frontier and the last
    arrival, and so does the note that a person was forgotten; what a buyer leaves, until nothing
    that may still come could ask for it.
    """
    visitor = state.visitor
    if visitor is None:
        noted_ms = max(state.frontier[0], state.seen_ms) + policy.time.stub_ms
        return noted_ms if state.forgot else 0
    if not machine.is_idle(visitor):
        return 0
    if state.hashes or not visitor.orders:
        return max(state.frontier[0], state.seen_ms) + policy.time.stub_ms
    bought_ms = max(visitor.orders[1::2])
    return bought_ms + policy.cart.past_buyer_ms + SLACK_DAYS * DAY_MS


def forget(state: State, clock_ms: int, policy: Policy) -> bool:
    """Forget what need not be known any more; tell whether there was anything."""
    changed = False
    alias, visitor = state.alias, state.visitor
    if alias is not None and expires_day(alias, policy.links) <= day_of(clock_ms):
        if not prune(alias, day_of(clock_ms), policy.links):
            state.alias = None
        changed = True
    ends_ms = forgotten_ms(state, policy)
    if not ends_ms or ends_ms > clock_ms:
        return changed
    if visitor is not None and state.hashes and visitor.orders:
        state.visitor, state.hashes, state.sent = machine.stub(visitor), b"", b""
    else:
        state.visitor, state.hashes, state.sent = None, b"", b""
        state.frontier = (0, 0, "")
        state.seen_ms = 0
    state.hold_ms = state.emit_ms = state.forgot = 0
    return True
