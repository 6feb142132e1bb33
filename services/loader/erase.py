"""Erasure of a person from storage: every version of every row, not a mark that hides it.

The buckets that change are marked dirty before and after, so that sums are made again without the
person. Sums of raw events that retention has dropped already stay as they are: they name nobody.
Erasing twice is harmless; states and log are the shell's to erase first, or rows come back.

A mutation's text stays on disk with its table, so none of these names anybody: who is erased stands
in a table of memory meanwhile. The files of the parts that were rewritten go at once.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from services.common.errors import InvalidError
from services.common.ports import Storage
from services.loader.cluster import altered, cluster_of, on, small_table
from services.loader.letters import letters_naming
from services.loader.marks import mark, oldest_event
from services.loader.text import text

PERSONAL = ("events", "event_flags", "sessions", "carts", "orders", "signals")
PATIENCE_SECONDS = 20.0
_TIMES = {
    "events": "[ts_ms]",
    "sessions": "[started_ms, intDiv(started_ms + ended_ms, 2), ended_ms]",
    "carts": "[ifNull(bucket_ms, last_activity_ms)]",
    "orders": "[at_ms]",
    "signals": "[at_ms]",
}
_VISITORS = "IN (SELECT id FROM erasing WHERE kind = 'visitor')"
_USERS = "IN (SELECT id FROM erasing WHERE kind = 'user')"
_LETTERS = "IN (SELECT id FROM erasing WHERE kind = 'letter')"


def erase(
    storage: Storage, source: str, *, visitor_id: str = "", user_id: str = ""
) -> dict[str, int]:
    """Erase one visitor, or one user with every visitor it was ever seen as.

    Returns how many rows went, by table. Raises ``InvalidError`` unless exactly one is named. One
    erasure at a time.
    """
    if bool(visitor_id) == bool(user_id):
        raise InvalidError(f"visitor_id={visitor_id!r}, user_id={user_id!r}: name exactly one")
    visitors = [visitor_id] if visitor_id else [*visitors_of(storage, source, user_id)]
    users = [user_id] if user_id else []
    letters = letters_naming(storage, source, [*visitors, *users])
    with _named(storage, {"visitor": visitors, "user": users, "letter": letters}):
        went = {table: _count(storage, table, source) for table in (*PERSONAL, "dead_letters")}
        changed = {table: _instants(storage, table, source) for table in _TIMES}
        floors = {source: oldest_event(storage, source)}
        for table, times in changed.items():
            mark(storage, table, {source: times} if times else {}, floors)
        for table in went:
            where = altered(table, cluster_of(storage))
            storage.command(text("erase", table=where, whose=_whose(table)), {"source": source})
        for table, times in changed.items():
            mark(storage, table, {source: times} if times else {}, floors)
    _drop_files(storage, [*went])
    return went


def _drop_files(storage: Storage, tables: Sequence[str]) -> None:
    """Remove the files of what was rewritten; what a merge still reads goes when it has ended.

    After ``PATIENCE_SECONDS`` the engine's own cleaning is left to do it, within minutes.
    """
    if cluster_of(storage):
        return  # each node cleans up by itself
    until = time.monotonic() + PATIENCE_SECONDS
    while left := storage.query(text("old_parts"), {"tables": list(tables)}):
        for row in left:
            storage.command(text("erase_files", table=row["name"]))
        if time.monotonic() > until:
            return
        time.sleep(0.05)


def visitors_of(storage: Storage, source: str, user_id: str) -> Sequence[str]:
    """Return every visitor that was ever seen as a user, and the user's own address."""
    found = storage.query(text("visitors_of"), {"source": source, "user": user_id})
    return sorted({f"user:{user_id}", *(str(row["visitor_id"]) for row in found)})


@contextmanager
def _named(storage: Storage, ids: dict[str, Sequence[str]]) -> Iterator[None]:
    """Keep the ids in a table of memory during a block; one that a crash left is replaced."""
    cluster = cluster_of(storage)
    drop = f"DROP TABLE IF EXISTS erasing {on(cluster)} SYNC"
    storage.command(drop)
    storage.command(small_table("erasing", "kind String, id String", cluster))
    rows = [{"kind": kind, "id": one} for kind, some in ids.items() for one in some]
    try:
        storage.insert("erasing", [msgspec.json.encode(row) for row in rows], "")
        if cluster:
            storage.command(f"SYSTEM SYNC REPLICA {on(cluster)} erasing")
        yield
    finally:
        storage.command(drop)


def _count(storage: Storage, table: str, source: str) -> int:
    sql = text("erase_count", table=table, whose=_whose(table))
    (row,) = storage.query(sql, {"source": source})
    return int(row["n"])


def _instants(storage: Storage, table: str, source: str) -> set[int]:
    sql = text("erase_times", table=table, times=_TIMES[table], whose=_whose(table))
    return {int(row["at_ms"]) for row in storage.query(sql, {"source": source})}


def _whose(table: str) -> str:
    """Return the condition for a person's rows; a letter that nobody could read has no source."""
    if table == "dead_letters":
        return f"source IN ({{source:String}}, '') AND id {_LETTERS}"
    mine = f"visitor_id {_VISITORS}"
    if table == "events":
        mine += f" OR address {_VISITORS}"
    if table != "event_flags":
        mine += f" OR user_id {_USERS}"
    return f"source = {{source:String}} AND ({mine})"
