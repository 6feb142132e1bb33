"""The independent judge: every row of any number of visitors, computed in one go from all events.

Written from the design and docs/adr/0002 alone. It shares nothing with the core but the schemas
and the policy, knows no deadlines to keep and no state to bound, and is slow on purpose.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.event import Event
from schemas.rows import CartRow, OrderRow, SessionRow, SignalRow
from services.sessionizer.core.policy import SourceRules
from tests.oracle import links, timeline
from tests.oracle.cart_rows import CartRows
from tests.oracle.timeline import Line


class Rows(NamedTuple):
    """What the core is held against, apart from versions and emission times."""

    sessions: list[SessionRow]
    carts: list[CartRow]
    orders: list[OrderRow]
    signals: list[SignalRow]


def judge(events: Iterable[Event], rules: SourceRules, as_of_ms: int) -> Rows:
    """Return the rows of all visitors as they stand at ``as_of_ms`` with nothing waiting."""
    rows = Rows([], [], [], [])
    end_ms = as_of_ms - rules.policy.time.grace_ms
    for (source, address), given in links.by_address(events, rules.policy.links).items():
        items = timeline.in_fold_order(given, address)
        line = Line(source, address, items, rules, max(end_ms, items[-1].ts))
        told = Story(line).rows()
        rows.sessions.extend(told.sessions)
        rows.carts.extend(told.carts)
        rows.orders.extend(told.orders)
        rows.signals.extend(told.signals)
    return rows


class Story(CartRows):
    """All that is to be said of one visitor."""

    def rows(self) -> Rows:
        visits, line = self.line.visits, self.line
        signals = [s for visit in visits for s in self.of_visit(visit)]
        signals += [s for episode in self.episodes for s in self.of_episode(episode)]
        kinds = ("purchase", "refund", "cancel")
        bought = [i for i in line.items if i.event.type in kinds and not i.foreign]
        signals += [s for item in bought for s in self.of_bare_order(item)]
        return Rows(
            [self.session(visit) for visit in visits],
            [self.cart(episode) for episode in self.episodes],
            [self.order(item) for item in bought],
            signals,
        )
