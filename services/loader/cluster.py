"""Tables of a single server as tables of a cluster: a rendering of the same statements.

``CREATE TABLE name`` becomes two on every node: ``name_local``, whose engine is the replicated one
of the same kind, and ``name``, a Distributed table over it, so that who reads and writes keeps the
names. Rows are spread by visitor: all versions of a row, which differ in nothing of its sorting key
but what later versions may not change, meet on one shard, where ``FINAL`` finds them.

What alters rows in place (retention, erasure) names the local tables: ``altered``.
"""

import re

from services.common.errors import InvalidError
from services.common.ports import Storage

BY_VISITOR = "cityHash64(source, visitor_id)"
SHARDED: dict[str, str] = {
    "events": "cityHash64(source, address)",
    "event_flags": BY_VISITOR,
    "sessions": BY_VISITOR,
    "carts": BY_VISITOR,
    "orders": BY_VISITOR,
    "signals": BY_VISITOR,
    "annotations": "cityHash64(source, id)",
    "dead_letters": "cityHash64(source, id)",
    "migrations": "cityHash64(name)",
}
BY_SOURCE = "cityHash64(source)"
"""Seals and roll-ups: a source's sums and the seals that name them stand together."""

_CREATE = re.compile(
    r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)(?P<columns>.*?)"
    r"\bENGINE = (?P<kind>\w*MergeTree)(?:\((?P<args>[^)]*)\))?(?P<rest>.*)",
    re.DOTALL,
)
_ALTER = re.compile(r"ALTER TABLE (?P<name>\w+)(?P<rest>.*)", re.DOTALL)
_ZOOKEEPER = "'/clickhouse/tables/{uuid}/{shard}', '{replica}'"


def rendered(statement: str, cluster: str) -> list[str]:
    """Return a migration's statement as a cluster takes it; on a single server (``""``) as it is.

    Raises ``InvalidError`` for a statement that no rendering is known for.
    """
    if not cluster:
        return [statement]
    if found := _CREATE.fullmatch(statement):
        return _created(found, _named(cluster))
    if found := _ALTER.fullmatch(statement):
        name, rest, on = found["name"], found["rest"], f" ON CLUSTER '{_named(cluster)}'"
        return [f"ALTER TABLE {name}_local{on}{rest}", f"ALTER TABLE {name}{on}{rest}"]
    raise InvalidError(f"no rendering for a cluster is known: {statement[:80]!r}")


def altered(table: str, cluster: str) -> str:
    """Return what names a table after ``ALTER TABLE`` where rows are changed in place."""
    return f"{table}_local {on(cluster)}" if cluster else table


def cluster_of(storage: Storage) -> str:
    """Return the cluster that a store's tables are spread over, empty for a single server."""
    return str(getattr(storage, "cluster", ""))


def on(cluster: str) -> str:
    """Return what has a statement done by every node; nothing on a single server."""
    return f"ON CLUSTER '{_named(cluster)}'" if cluster else ""


def small_table(name: str, columns: str, cluster: str) -> str:
    """Return what makes a passing table: in memory, or one that every node holds whole."""
    if not cluster:
        return f"CREATE TABLE {name} ({columns}) ENGINE = Memory"
    return (
        f"CREATE TABLE {name} {on(cluster)} ({columns}) ENGINE = "
        "ReplicatedMergeTree('/clickhouse/tables/{uuid}', '{shard}-{replica}') ORDER BY tuple()"
    )


def _created(found: re.Match[str], cluster: str) -> list[str]:
    name, args = found["name"], found["args"]
    places = f"{_ZOOKEEPER}, {args}" if args else _ZOOKEEPER
    rest = found["rest"].replace("non_replicated_dedup", "replicated_dedup")
    local = (
        f"CREATE TABLE IF NOT EXISTS {name}_local ON CLUSTER '{cluster}'{found['columns']}"
        f"ENGINE = Replicated{found['kind']}({places}){rest}"
    )
    spread = (
        f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER '{cluster}' AS {name}_local\n"
        f"ENGINE = Distributed('{cluster}', currentDatabase(), {name}_local, "
        f"{SHARDED.get(name, BY_SOURCE)})"
    )
    return [local, spread]


def _named(cluster: str) -> str:
    if not re.fullmatch(r"[\w-]+", cluster):
        raise InvalidError(f"WAYMARK_CLICKHOUSE_CLUSTER = {cluster!r} is no plain name")
    return cluster
