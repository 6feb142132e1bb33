"""What goes back into the log: links to aliases, and orders to and from them.

DESIGN, *Links*. All of it happens on receipt, before anything settles, and all of it may be made
again after a restart: repeats are known by their ids.
"""

from msgspec.json import Encoder

from schemas.event import Event
from schemas.rows import FlagRow
from services.common.ports import Outgoing
from services.sessionizer.core import links
from services.sessionizer.core.collect import Collector
from services.sessionizer.core.entries import Entry
from services.sessionizer.core.links import Alias


class Routes:
    """Sends links and orders on, and keeps what an alias must remember in its entry's state."""

    def __init__(self, out: Collector) -> None:
        self._out = out
        self._encode = Encoder().encode
        self._forwards: list[Outgoing] = []

    def take(self) -> list[Outgoing]:
        """Return what is to be appended to the log, and begin anew."""
        taken, self._forwards = self._forwards, []
        return taken

    def send(self, entry: Entry, event: Event, clock_ms: int) -> bool:
        """Send what the ids of an event just received ask for; tell whether its state changed.

        A visitor's own event links; its order goes to the order's alias as well. An order that
        has come to its alias goes on to whom the alias is linked with. Other copies go nowhere.
        """
        made, entry.state.sent = links.new_links(event, entry.address, entry.state.sent)
        self._append(made)
        if event.type != "purchase":
            return bool(made)
        alias = links.order_alias(event)
        if alias == entry.address:
            self._take_order(entry, event, clock_ms)
            return True
        if alias and not event.to:
            copies, entry.state.sent = links.new_copy(event, alias, entry.state.sent)
            self._append(copies)
            made += copies
        return bool(made)

    def _take_order(self, entry: Entry, event: Event, clock_ms: int) -> None:
        alias, rules = self._alias(entry, clock_ms), entry.rules.policy.links
        forwards, shared = links.add_order(alias, event, rules)
        self._append(forwards)
        if shared:
            self._flag(entry, alias, links.day_of(event.ts_ms), event.event_id, event.ts_ms)

    def take_link(self, entry: Entry, event: Event, clock_ms: int) -> None:
        """Note a link at its alias, and send the orders kept there to its visitor."""
        alias, rules = self._alias(entry, clock_ms), entry.rules.policy.links
        forwards, shared = links.add_link(alias, event, rules)
        self._append(forwards)
        for day, event_id in shared:
            self._flag(entry, alias, day, event_id, event.ts_ms)

    def _alias(self, entry: Entry, clock_ms: int) -> Alias:
        """Return the alias of an address, brought up to the clock's day."""
        if entry.state.alias is None:
            entry.state.alias = Alias()
        links.prune(entry.state.alias, links.day_of(clock_ms), entry.rules.policy.links)
        return entry.state.alias

    def _append(self, events: list[Event]) -> None:
        self._forwards += [
            Outgoing(event.source, event.to, self._encode(event)) for event in events
        ]

    def _flag(self, entry: Entry, alias: Alias, day: int, event_id: str, ts_ms: int) -> None:
        """Mark all whom the order might have reached: some may have had it sent before."""
        visitors = links.linked_to(alias, day, entry.rules.policy.links)
        for visitor_id in (entry.address, *visitors):
            self._out.flag(
                FlagRow(
                    source=entry.source,
                    visitor_id=visitor_id,
                    event_id=event_id,
                    ts_ms=ts_ms,
                    flag="shared_alias",
                    version=self._out.version(),
                )
            )
