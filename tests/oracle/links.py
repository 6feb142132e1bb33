"""Which address folds which events: links between visitors and aliases, and copies of orders."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from schemas.event import Event, address_of
from schemas.spans import DAY_MS
from services.sessionizer.core.policy import Links

Place = tuple[str, str]


def aliases_named(event: Event) -> list[str]:
    named = (("cart", event.cart_id), ("user", event.user_id), ("order", event.order_id))
    return [f"{kind}:{value}" for kind, value in named if value]


def alias_of_order(event: Event) -> str:
    """Return the one alias an order goes to (F2); a visitor's own goes only to cart or user."""
    named = aliases_named(event)
    own = bool(event.visitor_id) and named[:1] == [f"order:{event.order_id}"]
    return "" if own or not named else named[0]


def linked_days(events: Iterable[Event]) -> dict[Place, set[tuple[str, int]]]:
    """For each alias, the visitors linked to it and the UTC days on which they were (F1)."""
    days: dict[Place, set[tuple[str, int]]] = defaultdict(set)
    for event in events:
        if event.visitor_id or event.type != "purchase":
            folder = address_of(event)
            for alias in aliases_named(event):
                if alias != folder:
                    days[event.source, alias].add((folder, event.ts_ms // DAY_MS))
    return days


def by_address(stored: Iterable[Event], rules: Links) -> dict[Place, list[Event]]:
    """Give every address its events, copies of orders found anew (F2 to F6)."""
    events = [event for event in stored if not (event.to or event.type.startswith("__"))]
    given: dict[Place, list[Event]] = defaultdict(list)
    days = linked_days(events)
    for event in events:
        place = event.source, address_of(event)
        given[place].append(event)
        alias = alias_of_order(event)
        if event.type != "purchase" or not alias:
            continue
        day = event.ts_ms // DAY_MS
        linked = {
            visitor
            for visitor, on in days[event.source, alias]
            if day - rules.back_days <= on <= day + rules.ahead_days and visitor != alias
        }
        shared = len(linked) > rules.max_visitors
        for to in (set() if shared else linked) | {alias}:
            if to not in (event.visitor_id, place[1]):
                given[event.source, to].append(msgspec.structs.replace(event, to=to))
    return given
