"""Erasure of a person from storage: every version of every row, not a mark that hides it.

The buckets that change are marked dirty before and after, so that sums are made again without the
person. Sums of raw events that retention has dropped already stay as they are: they name nobody.
Erasing twice is harmless; states and log are the shell's to erase first, or rows come back.
"""

from collections.abc import Mapping, Sequence

from services.common.errors import InvalidError
from services.common.ports import Storage
from services.loader.marks import mark, oldest_event
from services.loader.text import text

PERSONAL = ("events", "event_flags", "sessions", "carts", "orders", "signals")
_TIMES = {
    "events": "[ts_ms]",
    "sessions": "[started_ms, intDiv(started_ms + ended_ms, 2), ended_ms]",
    "carts": "[ifNull(bucket_ms, last_activity_ms)]",
    "orders": "[at_ms]",
    "signals": "[at_ms]",
}

_EDGE = ("(^|[^A-Za-z0-9_-])", "($|[^A-Za-z0-9_-])")
"""So that erasing v7 leaves what was refused of v77."""


def erase(
    storage: Storage, source: str, *, visitor_id: str = "", user_id: str = ""
) -> dict[str, int]:
    """Erase one visitor, or one user with every visitor it was ever seen as.

    Returns how many rows went, by table. Raises ``InvalidError`` unless exactly one is named.
    """
    if bool(visitor_id) == bool(user_id):
        raise InvalidError(f"visitor_id={visitor_id!r}, user_id={user_id!r}: name exactly one")
    visitors = [visitor_id] if visitor_id else [*visitors_of(storage, source, user_id)]
    who = {"source": source, "visitors": visitors, "user": user_id, "needle": visitor_id or user_id}
    went = {table: _count(storage, table, who) for table in (*PERSONAL, "dead_letters")}
    changed = {table: _instants(storage, table, who) for table in _TIMES}
    floors = {source: oldest_event(storage, source)}
    for table, times in changed.items():
        mark(storage, table, {source: times} if times else {}, floors)
    for table in went:
        storage.command(text("erase", table=table, whose=_whose(table)), dict(who))
    for table, times in changed.items():
        mark(storage, table, {source: times} if times else {}, floors)
    return went


def visitors_of(storage: Storage, source: str, user_id: str) -> Sequence[str]:
    """Return every visitor that was ever seen as a user, and the user's own address."""
    found = storage.query(text("visitors_of"), {"source": source, "user": user_id})
    return sorted({f"user:{user_id}", *(str(row["visitor_id"]) for row in found)})


def _count(storage: Storage, table: str, who: Mapping[str, object]) -> int:
    (row,) = storage.query(text("erase_count", table=table, whose=_whose(table)), dict(who))
    return int(row["n"])


def _instants(storage: Storage, table: str, who: Mapping[str, object]) -> set[int]:
    sql = text("erase_times", table=table, times=_TIMES[table], whose=_whose(table))
    return {int(row["at_ms"]) for row in storage.query(sql, dict(who))}


def _whose(table: str) -> str:
    """Return the condition for a person's rows; a refused item has only its original bytes."""
    if table == "dead_letters":
        quoted = "regexpQuoteMeta({needle:String})"
        return f"match(original, concat('{_EDGE[0]}', {quoted}, '{_EDGE[1]}'))"
    mine = "visitor_id IN {visitors:Array(String)}"
    if table == "events":
        mine += " OR address IN {visitors:Array(String)}"
    return (
        mine
        if table == "event_flags"
        else f"{mine} OR (user_id != '' AND user_id = {{user:String}})"
    )
