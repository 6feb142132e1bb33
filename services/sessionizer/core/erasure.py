"""Erasure of a person at its place in the log.

A ``__forget`` at an address of the person's own takes all that is known there, at rest and waiting,
and emits nothing: what storage holds is erased by whoever sent it. At an alias that others share it
takes the links and orders of the person. What remains for two hours is where in the log that was:
after a restart older records may be read again, and must not bring the person back.
"""

from collections.abc import Callable, Iterable

from msgspec.json import decode
from msgspec.structs import replace
from xxhash import xxh3_64_digest

from schemas.event import Event
from services.common.ports import LogRecord
from services.sessionizer.core.admission import AFTER_ALL
from services.sessionizer.core.codec import Codec, Head, State
from services.sessionizer.core.entries import UNKNOWN, Entries, Entry
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


Left = Callable[[bytes, bytes], bytes | None]
"""Takes a key and a state's bytes; returns what is left: the same object where all of it is."""


def strike(
    entries: Entries, codec: Codec, keys: Iterable[str], left: Left, gone: Callable[[Event], bool]
) -> int:
    """Drop the events that are ``gone`` from all that waits, and change the states of some keys.

    Asked about as well is every state that is newer than what is at rest. Returns how many states
    changed; for whoever has taken the person out of the log, so that no note need stay.
    """
    unsaved = [entry for entry in entries if _drop(entry, gone) or entry.dirty]
    chosen = {entry.key: entry for entry in [*unsaved, *map(entries.by_key, keys)]}
    changed = 0
    for entry in chosen.values():
        before = codec.encode(entry.put_down(), Head(0, 0, 0))
        after = left(entry.key.encode(), before)
        if after is not before:
            changed += 1
            state = State() if after is None else codec.decode(after, entry.source, entry.address)
            _take_up(entry, state)
            entries.changed(entry)
    return changed


def _drop(entry: Entry, gone: Callable[[Event], bool]) -> bool:
    """Drop what waits and is gone; tell whether anything was."""
    kept = [item for item in entry.waiting if not gone(item[4])]
    if len(kept) == len(entry.waiting):
        return False
    entry.waiting = kept
    entry.mixed = True  # its place among the known tells no longer what waits
    return True


def _take_up(entry: Entry, state: State) -> None:
    """Have the entry hold another state of the same address; what waits goes on waiting."""
    last_append = entry.last_append
    entry.hold(state)
    if entry.waiting:
        entry.known += b"".join(xxh3_64_digest(item[2].encode()) for item in entry.waiting)
        entry.last_append = last_append
        entry.mixed = True
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
