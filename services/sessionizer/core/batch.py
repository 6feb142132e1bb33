"""The batch fold: the same rules over a whole history at once, for import, rebuild and trials.

DESIGN, *The fold* 4; ADR 2, F and I1. Links are known beforehand here, so an order reaches every
visitor linked in its window; what a stream sent on the way (``to`` set, control events) is left
aside and found anew.
"""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from schemas.event import RESERVED, Event, address_of
from schemas.rows import CartRow, FlagRow, OrderRow, SessionRow, SignalRow
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.admission import Waiting, fold_key
from services.sessionizer.core.codec import State
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.folding import fold_run, meet, pass_time
from services.sessionizer.core.links import aliases_of, day_of, in_window, order_alias
from services.sessionizer.core.policy import Links, Rules, SourceRules

Address = tuple[str, str]
"""Source and address."""


class Rows(Struct, frozen=True):
    """What a history comes to, each list in the order of its ids' first emission."""

    sessions: list[SessionRow]
    carts: list[CartRow]
    orders: list[OrderRow]
    signals: list[SignalRow]
    flags: list[FlagRow]


class History:
    """Events by address, each id once: the copy received first (ADR 2, A3)."""

    def __init__(self) -> None:
        self.events: dict[Address, dict[str, Event]] = defaultdict(dict)
        self.links: dict[Address, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))

    def add(self, event: Event) -> None:
        """Take an event at its address, unless a copy received earlier is there."""
        at = self.events[event.source, address_of(event)]
        known = at.setdefault(event.event_id, event)
        if known is not event and _received(event) < _received(known):
            at[event.event_id] = event

    def link(self, event: Event) -> None:
        """Note whom the event links (ADR 2, F1)."""
        folder = address_of(event)
        for alias in aliases_of(event, folder):
            self.links[event.source, alias][folder].add(day_of(event.ts_ms))

    def linked(self, source: str, alias: str, order_day: int, rules: Links) -> list[str]:
        """Return the visitors linked to an alias in an order's window."""
        visitors = self.links.get((source, alias), {})
        return [
            visitor
            for visitor, days in visitors.items()
            if any(in_window(order_day, day, rules) for day in days)
        ]


def _received(event: Event) -> tuple[int, int, bytes]:
    return event.received_ms, event.ts_ms, encode(event)


def gather(events: Iterable[Event], rules: Rules) -> History:
    """Sort events to their addresses and send orders along the links among them."""
    history = History()
    for event in events:
        if event.to or event.type.startswith("__") or event.visitor_id.startswith(RESERVED):
            continue
        history.add(event)
    own = [event for at in history.events.values() for event in at.values()]
    for event in own:
        history.link(event)
    for order in own:
        if order.type == "purchase":
            _carry(history, order, rules(order.source).policy.links)
    return history


def _carry(history: History, order: Event, rules: Links) -> None:
    """Bring an order to its alias, and from there to whom it is linked (ADR 2, F2 to F6)."""
    alias, folder = order_alias(order), address_of(order)
    if not alias:
        return
    linked = history.linked(order.source, alias, day_of(order.ts_ms), rules)
    for to in [alias, *(linked if len(linked) <= rules.max_visitors else [])]:
        if to != folder:
            history.add(replace(order, to=to))


def fold_history(events: Iterable[Event], rules: Rules, as_of_ms: int, version: int) -> Rows:
    """Fold events of any visitors, in any order, as the live fold would have by ``as_of_ms``.

    Orders are carried along the links among the events given: whoever folds a part of a history
    gives the visitors linked to it too. Rows carry versions above ``version``; a signal's
    ``emitted_ms`` is ``as_of_ms``.
    """
    history = gather(events, rules)
    out = Collector(as_of_ms, version)
    for (source, address), at in history.events.items():
        fold_visitor(source, address, list(at.values()), rules(source), out)
    return Rows(
        list(out.sessions.values()),
        list(out.carts.values()),
        list(out.orders.values()),
        list(out.signals.values()),
        list(out.flags.values()),
    )


def fold_visitor(
    source: str, address: str, events: list[Event], rules: SourceRules, out: Collector
) -> State:
    """Fold one visitor's events (at least one, each id once) as of ``out.clock_ms``.

    Returns where the visitor then stands.
    """
    state = State()
    meet(state, source, address)
    run: list[Waiting] = sorted((*fold_key(event), 0, event) for event in events)
    fold_run(state, run, rules, out)
    pass_time(state, out.clock_ms - rules.policy.time.grace_ms, rules, out)
    if state.visitor is not None:
        machine.emit_open(state.visitor, rules, out)
    return state
