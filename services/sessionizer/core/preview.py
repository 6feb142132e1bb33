"""What events would do to their visitors, folded onto copies and thrown away.

DESIGN, *The fold* 3 and 5. An event sent now waits for its grace: it takes its place among those
that wait already, and only what sorts before the settled ones is late. So a preview shows what
the live view would.
"""

from bisect import insort
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from msgspec import to_builtins
from xxhash import xxh3_64_digest

from schemas.event import Event, address_of
from services.common.ports import StateReader
from services.sessionizer.core import visitor as machine
from services.sessionizer.core.admission import Waiting, fold_key, state_key
from services.sessionizer.core.codec import Codec, State
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.folding import fold_run, late_order, meet
from services.sessionizer.core.links import holds
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.state import Visitor

_KEY = itemgetter(0, 1, 2)


def plain(visitor: Visitor, rules: SourceRules) -> dict[str, Any]:
    """Return the live state with rows as plain objects."""
    made: dict[str, Any] = to_builtins(machine.live(visitor, rules))
    return made


def preview(
    events: Iterable[Event], rules: SourceRules, states: StateReader
) -> list[dict[str, Any]]:
    """Return for each event what it would do to its visitor, changing nothing.

    One object an event in the given order: ``event_id``; ``before`` and ``after``, the live state
    in the API's shape (None for a visitor never seen); ``signals`` (kind, stage) that would be
    told then and were not before; ``duplicate`` where its id was admitted before, ``late`` where
    it sorts before the frontier: neither would be folded, but a late order acts on carts. Events
    of one visitor build on one another. ``states`` hold what waits too (``Live.unsettled``), or
    have it folded in.
    """
    codec = Codec()
    known: dict[bytes, _Copy] = {}
    told = []
    for event in events:
        address = address_of(event)
        key = state_key(event.source, address)
        if key not in known:
            data = states.get(key)
            found = codec.decode_unsettled(data, event.source, address) if data else (State(), [])
            known[key] = _Copy(codec, rules, *found)
        told.append(known[key].tell(event))
    return told


class _Copy:
    """One visitor: what has settled, what waits in fold order, and the fold of both."""

    def __init__(
        self, codec: Codec, rules: SourceRules, settled: State, waiting: list[Event]
    ) -> None:
        self._codec = codec
        self._rules = rules
        self._settled = settled
        self._waiting: list[Waiting] = [_item(event) for event in waiting]
        self._fold(Collector())

    def tell(self, event: Event) -> dict[str, Any]:
        """Let the event come, and tell what it did."""
        item = _item(event)
        digest = xxh3_64_digest(event.event_id.encode())
        duplicate = holds(self._settled.hashes, digest)
        late = not duplicate and item[:3] < self._settled.frontier
        before, known = self._shown, set(self._out.signals)
        if not duplicate:
            self._settled.hashes += digest
            self._come(item, late=late)
        signals = [row for name, row in self._out.signals.items() if name not in known]
        return {
            "event_id": event.event_id,
            "duplicate": duplicate,
            "late": late,
            "before": before,
            "after": self._shown,
            "signals": [
                {"kind": row.kind, "stage": row.stage} for row in signals if not row.retracted
            ],
        }

    def _come(self, item: Waiting, *, late: bool) -> None:
        if late:
            if item[4].type == "purchase":
                out = Collector(item[0])
                late_order(self._settled, item, self._rules, out)
                self._fold(out)
        elif self._waiting and item[:3] < self._waiting[-1][:3]:
            insort(self._waiting, item, key=_KEY)
            self._fold(Collector(item[0]))
        else:
            # The last of all goes on from there: a body in order is folded once.
            self._waiting.append(item)
            self._fold_on([item])

    def _fold(self, out: Collector) -> None:
        self._out = out
        self._ahead = self._codec.copy(self._settled)
        self._fold_on(self._waiting)

    def _fold_on(self, run: list[Waiting]) -> None:
        if run:
            first = run[0][4]
            meet(self._ahead, first.source, address_of(first))
            fold_run(self._ahead, run, self._rules, self._out)
        visitor = self._ahead.visitor
        self._shown = None if visitor is None else plain(visitor, self._rules)


def _item(event: Event) -> Waiting:
    return (*fold_key(event), event.ts_ms, event)
