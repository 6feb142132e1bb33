"""Admission: from a record's bytes to events with their place in the fold.

DESIGN, *The fold* 1 and 2, and *The log*. A line that is no canonical event never stops a
partition: it comes back as ``Poison`` with the reason, and the rest of its record goes on.
"""

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from schemas.event import RESERVED, Event, address_of
from services.common.ports import LogRecord

CONTROL = -1
"""The rank of ticks, links and erasures: they are no part of any fold."""

AFTER_ALL = 9
"""The rank of a deadline: at the same millisecond it comes after every event."""

RANK: dict[str, int] = {
    "page_view": 0,
    "product_view": 0,
    "product_list_view": 0,
    "cart_add": 1,
    "cart_remove": 1,
    "cart_view": 1,
    "cart_update": 1,
    "checkout_start": 2,
    "checkout_step": 2,
    "payment_info": 2,
    "payment_failed": 2,
    "coupon": 2,
    "purchase": 3,
    "refund": 4,
    "cancel": 4,
    "__tick": CONTROL,
    "__link": CONTROL,
    "__forget": CONTROL,
}
"""Event type to rank in the fold key; whatever is not named has rank 5."""

OTHERS = 5

Waiting = tuple[int, int, str, int, Event]
"""An admitted event: fold key (ts_ms, rank, event_id), append time, the event."""

_BAD = (MsgspecError, UnicodeDecodeError, RecursionError)


class Poison(Struct, frozen=True):
    """A line of the log that is no canonical event: its record, its place (from 0), its bytes."""

    offset: int
    line: int
    reason: str
    original: bytes


def fold_key(event: Event) -> tuple[int, int, str]:
    """Return the event's place among those of its visitor (DESIGN, *The fold* 2)."""
    return event.ts_ms, RANK.get(event.type, OTHERS), event.event_id


def state_key(source: str, address: str) -> bytes:
    """Return the key of a state: UTF-8 source, 0x1F, address."""
    return f"{source}\x1f{address}".encode()


def wrong(event: Event) -> str:
    """Return why the event cannot be folded, empty where it can."""
    if event.type == "__tick":
        return ""
    if not event.source:
        return "source is empty"
    if event.ts_ms <= 0:
        return f"ts_ms is {event.ts_ms}"
    if event.type in {"__link", "__forget"}:
        named = event.visitor_id and event.to
        return "" if named else f"a {event.type[2:]} needs visitor_id and to"
    if not event.event_id:
        return "event_id is empty"
    return _misnamed(event)


def _misnamed(event: Event) -> str:
    if event.visitor_id.startswith(RESERVED):
        return f"visitor_id {event.visitor_id} begins like the address of a cart, user or order"
    return "" if address_of(event) else "no visitor_id, user_id, cart_id or order_id"


def not_after(event: Event, append_ms: int) -> Event:
    """Return the event with a time no later than its append time (DESIGN, *Event: Time*)."""
    return event if event.ts_ms <= append_ms else replace(event, ts_ms=append_ms)


class LineReader:
    """Decodes records. One decoder is kept, since making one costs more than a record."""

    def __init__(self) -> None:
        self._decoder = Decoder(Event)

    def read(self, record: LogRecord) -> tuple[list[Event], list[Poison]]:
        """Return the record's events in order, and its poisoned lines."""
        try:
            return self._decoder.decode_lines(record.body), []
        except _BAD:
            return self._read_one_by_one(record)

    def _read_one_by_one(self, record: LogRecord) -> tuple[list[Event], list[Poison]]:
        events: list[Event] = []
        poisons: list[Poison] = []
        for place, line in enumerate(record.body.split(b"\n")):
            if not line.strip():
                continue
            try:
                event = self._decoder.decode(line)
            except _BAD as error:
                poisons.append(Poison(record.offset, place, str(error), line))
                continue
            reason = wrong(event)
            if reason:
                poisons.append(Poison(record.offset, place, reason, line))
            else:
                events.append(event)
        return events, poisons


def sent_on(events: list[Event]) -> bool:
    """Tell whether a fold itself sent all of a record's events: links, orders' copies, erasures.

    Such a record lets no time pass. Where ingest is down, folds that catch up go on sending; if
    their records moved the clock, a long outage would look like many short holes and no stall.
    """
    return bool(events) and all(event.to for event in events)


def poisoned(record: LogRecord, nth: int, reason: str) -> Poison:
    """Return the poison of the nth event (from 0) of a record all of whose lines decode."""
    lines = enumerate(record.body.split(b"\n"))
    place, line = [(place, line) for place, line in lines if line.strip()][nth]
    return Poison(record.offset, place, reason, line)
