"""``waymark forget``: erases a visitor, or a user with all its visitors, everywhere.

In this order, so that whoever repeats it after a crash finds all that is left:

1. Old records of the log, while everything goes on: lines that name the person become empty, so
   that all others keep their places.
2. Fold, forwarder and loader stand still, and all that was made is brought into storage: only then
   is it known whom storage names.
3. The rest of the log, then states, aliases that remember the person, and forwards under way.
4. The fold starts again from disk: by the law of restarts that is the same as going on.
5. Storage: every version of every row, and refused items, with the files they stood in.

Orders of the person that are on their way to another visitor's cart go too; what such an order has
decided there stays decided until that visitor is rebuilt.
"""

from collections.abc import Iterator
from typing import Any

from services.common.errors import InvalidError, UnavailableError
from services.common.ports import LogRecord
from services.loader.erase import erase, visitors_of
from services.sessionizer.core.partition import Partition
from services.standalone.admin.arguments import optional
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command
from services.standalone.admin.sources import source_named
from services.standalone.log import TICK
from services.standalone.person import Person, without

READ_BYTES = 4 << 20


def forget(context: AdminContext, args: dict[str, Any]) -> dict[str, int]:
    """Erase ``visitor_id`` or ``user_id`` of ``source``; return how much went, by place."""
    source = source_named(context, args).name
    visitor_id, user_id = optional(args, "visitor_id", str), optional(args, "user_id", str)
    who = {"visitor_id": visitor_id or "", "user_id": user_id or ""}
    if bool(who["visitor_id"]) == bool(who["user_id"]):
        raise InvalidError(f"visitor_id = {visitor_id!r}, user_id = {user_id!r}: name exactly one")
    loaded = context.engine.loader.loaded_to
    known = _person(context, source, **who)
    context.progress(0, 3, "forget: log")
    went = {"log": _clean_log(context, known, 0, loaded)}
    context.progress(1, 3, "forget: states")
    with context.paused():
        end = _settle(context)
        person = _person(context, source, **who)
        went["log"] += _clean_log(context, person, loaded if person == known else 0, end)
        _restart_without(context, person, went)
        _read_on(context, end)
    context.progress(2, 3, "forget: storage")
    return {"visitors": len(person.visitors), **went, **erase(context.storage, source, **who)}


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


def _restart_without(context: AdminContext, person: Person, went: dict[str, int]) -> None:
    needles = person.needles()
    names = {f"{person.source}\x1f{visitor}".encode() for visitor in person.visitors}
    states: dict[bytes, bytes | None] = {}
    for key, value in context.states.items():
        if key in names or any(needle in value for needle in needles):
            left = without(person, key, value)
            if left is not value:
                states[key] = left
    went["states"] = len(states)
    went["forwards"] = context.states.erase(states, lambda item: person.owns(item.line))
    rules, meta = context.rules, context.states.meta()
    context.engine.restart(Partition(rules, context.states, meta, time=rules.policy.time))
    context.states.purge()


def _read_on(context: AdminContext, end: int) -> None:
    """Let the fold come to where it was, before anybody asks it."""
    sessionizer = context.engine.sessionizer
    while max(0, sessionizer.read_to) < end and not sessionizer.trouble:
        sessionizer.turn()


COMMANDS = {"forget": Command(forget)}
