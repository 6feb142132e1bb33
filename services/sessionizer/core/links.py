"""Links: what ties a visitor to a cart, user or order id, and orders on their way along them.

DESIGN, *Links*; ADR 2, F. A *visitor* sends, on receipt, one link a UTC day and alias, and its
orders; an *alias* (its own address, such as ``cart:C``) remembers who was linked on which day, and
the orders of a week and more, so that it does not matter which comes first.

Sending again is harmless: a link is a day in a set, an order is known by its event id.
"""

from msgspec import Struct
from msgspec.json import decode, encode
from msgspec.structs import replace
from xxhash import xxh3_64_digest

from schemas.event import Event
from schemas.spans import DAY_MS
from services.sessionizer.core.policy import Links

SLACK_DAYS = 4
"""How much later than its day a link or order may still come: 72 hours, and what holds it up."""

MEMORY = 16
"""How many links and orders a visitor remembers having sent; again only costs a line."""

ORDER_BYTES = 12_288
"""How many bytes of orders an alias keeps, the newest at least: a state stays under 32 KiB."""

_ENTRY = 8
_ORDER = b"\xff\xff"
"""Where a link has its day: a day that is centuries off."""


MOST_ORDERS = 150
"""How many orders an alias knows; of the older ones only that they were."""


class Kept(Struct, array_like=True, frozen=True, gc=False):
    """An order at its alias: its day and event id, whom it names, its line.

    The line is empty where there was no room for it any more: whom it would have gone to is
    marked for the rebuild instead.
    """

    day: int
    event_id: str
    named: str
    line: bytes


class Alias(Struct, array_like=True):
    """Who was linked on which day, as a bit a day from ``base``, and the orders kept."""

    base: int = 0
    linked: dict[str, int] = {}
    orders: list[Kept] = []


def day_of(ts_ms: int) -> int:
    """Return the UTC day, counted from the epoch."""
    return ts_ms // DAY_MS


def aliases_of(event: Event, folder: str) -> list[str]:
    """Return the addresses that the event links its folder to (ADR 2, F1).

    ``folder`` is the address the event is folded at, which is no link to itself. A copy links
    nobody, nor does an order that names no visitor.
    """
    if event.to or (event.type == "purchase" and not event.visitor_id):
        return []
    named = (
        f"cart:{event.cart_id}" if event.cart_id else "",
        f"user:{event.user_id}" if event.user_id else "",
        f"order:{event.order_id}" if event.order_id else "",
    )
    return [alias for alias in named if alias and alias != folder]


def order_alias(event: Event) -> str:
    """Return the one alias of an order, empty where it has none (ADR 2, F2).

    Only an order that names nobody goes to its own id: nobody else would ever ask there.
    """
    if event.cart_id:
        return f"cart:{event.cart_id}"
    if event.user_id:
        return f"user:{event.user_id}"
    return "" if event.visitor_id else f"order:{event.order_id}"


def link(source: str, visitor_id: str, ts_ms: int, alias: str) -> Event:
    """Return the control event that links a visitor to an alias."""
    return Event(type="__link", source=source, visitor_id=visitor_id, ts_ms=ts_ms, to=alias)


def new_links(event: Event, folder: str, sent: bytes) -> tuple[list[Event], bytes]:
    """Return the links the event asks for and what its folder remembers having sent.

    ``sent`` holds 8 bytes a link: 6 of the alias's hash, 2 of the day. The newest come last.
    """
    stamp = (day_of(event.ts_ms) & 0xFFFF).to_bytes(2, "big")
    links = []
    for alias in aliases_of(event, folder):
        entry = xxh3_64_digest(alias.encode())[:6] + stamp
        if not holds(sent, entry):
            links.append(link(event.source, folder, event.ts_ms, alias))
            sent = (sent + entry)[-MEMORY * _ENTRY :]
    return links, sent


def new_copy(event: Event, alias: str, sent: bytes) -> tuple[list[Event], bytes]:
    """Return an order's copy for its alias, unless it was sent, and what is remembered as sent."""
    entry = xxh3_64_digest(event.event_id.encode())[:6] + _ORDER
    if holds(sent, entry):
        return [], sent
    return [replace(event, to=alias)], (sent + entry)[-MEMORY * _ENTRY :]


def holds(blob: bytes, entry: bytes) -> bool:
    """Tell whether one of the 8-byte entries of the blob is the given one."""
    at = blob.find(entry)
    while at >= 0 and at % _ENTRY:
        at = blob.find(entry, at + 1)
    return at >= 0


def in_window(order_day: int, link_day: int, rules: Links) -> bool:
    """Tell whether a link on a day reaches an order (ADR 2, F2)."""
    return order_day - rules.back_days <= link_day <= order_day + rules.ahead_days


def _window(alias: Alias, order_day: int, rules: Links) -> int:
    low = max(order_day - rules.back_days - alias.base, 0)
    high = order_day + rules.ahead_days - alias.base
    return ((1 << (high + 1)) - (1 << low)) if high >= low else 0


def add_link(alias: Alias, event: Event, rules: Links) -> tuple[list[Event], list[tuple[int, str]]]:
    """Note a link; return the kept orders it brings to its visitor, and those found shared.

    The shared ones as their day and event id. The alias is to be pruned to today beforehand.

    Of one day no more than one visitor above the limit is noted: every window that holds the day
    is shared from then on, whoever else comes. So an alias stays small.
    """
    day, visitor = day_of(event.ts_ms), event.visitor_id
    bit = 1 << (day - alias.base) if day >= alias.base else 0
    before = alias.linked.get(visitor, 0)
    full = sum(1 for mask in alias.linked.values() if mask & bit) > rules.max_visitors
    if not bit or before & bit or full:
        return [], []
    alias.linked[visitor] = before | bit
    forwards: list[Event] = []
    shared: list[tuple[int, str]] = []
    for kept in alias.orders:
        window = _window(alias, kept.day, rules)
        if before & window or not bit & window:
            continue
        lost = not kept.line and visitor != kept.named
        if lost or len(linked_to(alias, kept.day, rules)) > rules.max_visitors:
            shared.append((kept.day, kept.event_id))
        elif visitor != kept.named:
            forwards.append(replace(decode(kept.line, type=Event), to=visitor))
    return forwards, shared


def add_order(alias: Alias, event: Event, rules: Links) -> tuple[list[Event], bool]:
    """Keep an order; return its copies for the visitors linked, and whether they are too many.

    An order known already is left alone: ([], False).
    """
    if any(kept.event_id == event.event_id for kept in alias.orders):
        return [], False
    day = day_of(event.ts_ms)
    alias.orders.append(Kept(day, event.event_id, event.visitor_id, encode(event)))
    _make_room(alias)
    linked = linked_to(alias, day, rules)
    if len(linked) > rules.max_visitors:
        return [], True
    return [replace(event, to=visitor) for visitor in linked if visitor != event.visitor_id], False


def _make_room(alias: Alias) -> None:
    """Let the oldest lines go, the newest never, and then what is known of the oldest orders."""
    size = 0
    for place in range(len(alias.orders) - 1, -1, -1):
        kept = alias.orders[place]
        size += len(kept.line)
        if size > ORDER_BYTES and kept.line and place < len(alias.orders) - 1:
            alias.orders[place] = replace(kept, line=b"")
    del alias.orders[:-MOST_ORDERS]


def linked_to(alias: Alias, order_day: int, rules: Links) -> list[str]:
    """Return the visitors linked in an order's window."""
    window = _window(alias, order_day, rules)
    return [visitor for visitor, mask in alias.linked.items() if mask & window]


def _base(today: int, rules: Links) -> int:
    return today - rules.back_days - rules.ahead_days - 2 * SLACK_DAYS


def expires_day(alias: Alias, rules: Links) -> int:
    """Return the day from which nothing of the alias can be needed."""
    ends = [kept.day + rules.ahead_days + SLACK_DAYS for kept in alias.orders]
    reach = rules.back_days + rules.ahead_days + 2 * SLACK_DAYS
    ends += [alias.base + mask.bit_length() - 1 + reach for mask in alias.linked.values()]
    return max(ends, default=alias.base) + 1


def prune(alias: Alias, today: int, rules: Links) -> bool:
    """Bring the alias up to a day and forget what is too old; tell whether anything is left."""
    alias.orders = [
        kept for kept in alias.orders if kept.day + rules.ahead_days + SLACK_DAYS >= today
    ]
    base = _base(today, rules)
    if base > alias.base:
        shift = base - alias.base if alias.base else 0
        masks = {visitor: mask >> shift for visitor, mask in alias.linked.items()}
        alias.linked = {visitor: mask for visitor, mask in masks.items() if mask}
        alias.base = base
    return bool(alias.linked or alias.orders)
