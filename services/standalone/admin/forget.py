"""``waymark forget``: erases a visitor, or a user with all its visitors, everywhere.

In this order, so that whoever repeats it after a crash finds all that is left:

1. While everything goes on: lines of the log that name the person become empty, so that all others
   keep their places; and the states that name the person are looked up.
2. Fold, forwarder and loader stand still, and all that was made is brought into storage: only then
   is it known whom storage names. Where that is more, it begins again with all of them.
3. The rest of the log, then states, aliases that remember the person, what waits to be folded, and
   forwards under way. The fold goes on without them.
4. The state file is written anew beside, for what was deleted can still be found in it; for another
   moment all stand still, and the new file takes its place.
5. Storage: every version of every row, and refused items, with the files they stood in.

Orders of the person that are on their way to another visitor's cart go too; what such an order has
decided there stays decided until that visitor is rebuilt.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from schemas.event import TICK
from services.common.errors import InvalidError, UnavailableError
from services.common.ports import LogRecord
from services.loader.erase import erase, visitors_of
from services.standalone.admin.arguments import optional
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command
from services.standalone.admin.sources import source_named
from services.standalone.fold import Fold
from services.standalone.person import Person, without

READ_BYTES = 4 << 20


def forget(context: AdminContext, args: dict[str, Any]) -> dict[str, int]:
    """Erase ``visitor_id`` or ``user_id`` of ``source``; return how much went, by place.

    All are 0 where nothing was found of the person.
    """
    source = source_named(context, args).name
    visitor_id, user_id = optional(args, "visitor_id", str), optional(args, "user_id", str)
    who = {"visitor_id": visitor_id or "", "user_id": user_id or ""}
    if bool(who["visitor_id"]) == bool(who["user_id"]):
        raise InvalidError(f"visitor_id = {visitor_id!r}, user_id = {user_id!r}: name exactly one")
    context.progress(0, 4, "erasing from the log")
    person, went = _person(context, source, **who), dict.fromkeys(("log", "states", "forwards"), 0)
    while (named := _strike(context, person, who, went)) != person:
        person = named
    context.progress(2, 4, "writing the state file anew")
    with context.engine.sessionizer.watched() as moved:
        fresh = context.states.write_anew()
        with context.paused():
            context.states.go_on_in(fresh, moved)
    context.progress(3, 4, "erasing from storage")
    went |= erase(context.storage, source, **who)
    return {"visitors": len(person.visitors) if any(went.values()) else 0, **went}


def _strike(
    context: AdminContext, person: Person, who: dict[str, str], went: dict[str, int]
) -> Person:
    """Erase a person from log and states; where it turns out to be more, return that instead."""
    loaded = context.engine.loader.loaded_to
    went["log"] += _clean_log(context, person, 0, loaded)
    context.progress(1, 4, "erasing from live states")
    with context.engine.sessionizer.watched() as moved:
        named = {key for key, value in context.states.items() if person.touches(key, value)}
        with context.paused() as fold:
            end = _settle(context)
            found = _person(context, person.source, **who)
            if found == person:
                went["log"] += _clean_log(context, person, loaded, end)
                context.engine.sessionizer.read_again()
                went["states"] += _strike_states(context, fold, person, named | moved)
                went["forwards"] += context.states.drop_forwards(lambda one: person.owns(one.line))
    return found


def _strike_states(context: AdminContext, fold: Fold, person: Person, keys: set[bytes]) -> int:
    chosen = []
    for key in keys:
        value = context.states.get(key)
        if value is not None and person.touches(key, value):
            chosen.append(key.decode())
    went = fold.strike(chosen, partial(without, person), person.is_in)
    if not context.engine.sessionizer.flush():
        raise UnavailableError(f"forget begins again: {context.engine.sessionizer.trouble}")
    return went


def _person(context: AdminContext, source: str, *, visitor_id: str, user_id: str) -> Person:
    if visitor_id:
        return Person(source, frozenset({visitor_id}))
    return Person(source, frozenset(visitors_of(context.storage, source, user_id)), user_id)


def _settle(context: AdminContext) -> int:
    """Bring all that stands in the log and outbox into storage; return where the log ended.

    Raises ``UnavailableError`` where it cannot be had: nothing is erased then.
    """
    engine, end = context.engine, context.log.end()
    trouble = "" if engine.sessionizer.flush() else engine.sessionizer.trouble
    while not trouble and (engine.loader.loaded_to < end or context.states.waiting_rows()):
        engine.loader.turn()
        trouble = engine.loader.trouble
    if trouble:
        raise UnavailableError(f"forget waits for better times: {trouble}")
    return end


def _clean_log(context: AdminContext, person: Person, after: int, up_to: int) -> int:
    """Empty the person's lines in records (after, up_to]; return how many."""
    gone = 0
    changed: list[tuple[int, bytes]] = []
    needles = person.needles()
    for record in _records(context, after, up_to):
        if not any(needle in record.body for needle in needles):
            continue
        lines = record.body.split(b"\n")
        kept = [b"" if line and person.owns(line) else line for line in lines]
        if kept != lines:
            gone += kept.count(b"") - lines.count(b"")
            changed.append((record.offset, b"\n".join(kept) if any(kept) else TICK))
    context.log.overwrite(changed)
    return gone


def _records(context: AdminContext, after: int, up_to: int) -> Iterator[LogRecord]:
    while after < up_to and (records := context.log.read(after, READ_BYTES)):
        yield from (record for record in records if record.offset <= up_to)
        after = records[-1].offset


COMMANDS = {"forget": Command(forget)}
