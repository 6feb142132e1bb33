"""Erasure of a person at its place in the log.

A ``__forget`` at an address of the person's own takes all that is known there, at rest and waiting,
and emits nothing: what storage holds is erased by whoever sent it. At an alias that others share it
takes the links and orders of the person. What remains for two hours is where in the log that was:
after a restart older records may be read again, and must not bring the person back.
"""

from msgspec.json import decode
from msgspec.structs import replace

from schemas.event import Event
from services.common.ports import LogRecord
from services.sessionizer.core.admission import AFTER_ALL
from services.sessionizer.core.codec import State
from services.sessionizer.core.entries import UNKNOWN, Entry
from services.sessionizer.core.links import Alias, Kept


def erase(entry: Entry, event: Event, record: LogRecord) -> None:
    """Take what a ``__forget`` names; one that was read before changes nothing.

    ``event.to`` is the entry's address, ``visitor_id`` the visitor to forget, ``user_id`` the user
    it was, if that is to be forgotten too.
    """
    if record.offset < entry.state.forgot:
        return
    if event.to in {event.visitor_id, f"user:{event.user_id}"}:
        _forget(entry, record)
    elif entry.state.alias is not None:
        left = _without(entry.state.alias, event)
        entry.state.alias = left if left.linked or left.orders else None


def _forget(entry: Entry, record: LogRecord) -> None:
    frontier = (record.append_ms, AFTER_ALL, "")
    entry.hold(State(frontier=frontier, seen_ms=record.append_ms, forgot=record.offset + 1))
    entry.waiting = []
    entry.mixed = False
    entry.linked = None
    entry.deadline = UNKNOWN


def _without(alias: Alias, event: Event) -> Alias:
    linked = {one: days for one, days in alias.linked.items() if one != event.visitor_id}
    orders = [kept for kept in alias.orders if not _is_of(kept, event)]
    return replace(alias, linked=linked, orders=orders)


def _is_of(kept: Kept, event: Event) -> bool:
    if kept.named == event.visitor_id:
        return True
    if not (event.user_id and kept.line):
        return False
    return decode(kept.line, type=Event).user_id == event.user_id
