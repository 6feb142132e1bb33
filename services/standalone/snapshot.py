"""Storage's part of a backup: frozen parts of every table, and how they come back.

Freezing links each part's files under another name, at once and without stopping anything: parts
never change. Bringing them back attaches them to tables that the same migrations made.
"""

import shutil
from pathlib import Path

from msgspec import Struct

from services.common.clickhouse import ClickHouse
from services.common.errors import InvalidError
from services.common.ports import Progress
from services.loader.migrate import applied, migrate, migrations
from services.standalone import queries

SEALS = "seals"


class Table(Struct, frozen=True):
    """A table as storage keeps it: ``path`` is its folder, ``uuid`` its name on disk."""

    name: str
    uuid: str
    path: str


class Frozen(Struct, frozen=True):
    """What a backup says of storage: rows by table, and the migrations that made the tables."""

    rows: dict[str, int]
    migrations: list[str]


def tables(storage: ClickHouse) -> list[Table]:
    """Return every table that holds rows of its own."""
    return [Table(**row) for row in storage.query(queries.text("tables"))]


def freeze(storage: ClickHouse, name: str) -> None:
    """Freeze every table under a name; seals first: roll-ups they do not name count nothing."""
    for table in sorted(tables(storage), key=lambda one: one.name != SEALS):
        storage.command(f"ALTER TABLE {table.name} FREEZE WITH NAME '{name}'")


def thaw(root: Path, name: str) -> None:
    """Forget what was frozen under a name."""
    shutil.rmtree(root / "shadow" / name, ignore_errors=True)


def copy_frozen(
    storage: ClickHouse, root: Path, name: str, target: Path, progress: Progress
) -> Frozen:
    """Copy what was frozen into ``target/TABLE/PART``; return what a restore must find."""
    found = tables(storage)
    rows: dict[str, int] = {}
    for number, table in enumerate(found):
        progress(number, len(found), f"copying {table.name}")
        frozen = root / "shadow" / name / "store" / table.uuid[:3] / table.uuid
        rows[table.name] = 0
        for part in sorted(frozen.iterdir()) if frozen.is_dir() else ():
            shutil.copytree(part, target / table.name / part.name)
            rows[table.name] += int((part / "count.txt").read_text())
    return Frozen(rows, sorted(applied(storage)))


def thaw_into(storage: ClickHouse, source: Path, frozen: Frozen, progress: Progress) -> None:
    """Bring copied parts into a new store, and check that every row is there.

    Raises ``InvalidError`` where they are a newer version's, or damaged.
    """
    unknown = set(frozen.migrations) - {one.name for one in migrations()}
    if unknown:
        raise InvalidError(f"the backup is of a newer version: it knows {sorted(unknown)}")
    for migration in migrations():
        if migration.name in frozen.migrations:
            for statement in migration.statements:
                storage.command(statement)
    applied(storage)
    held = {table.name: table for table in tables(storage)}
    for number, (name, rows) in enumerate(frozen.rows.items()):
        progress(number, len(frozen.rows), f"restoring {name}")
        _attach(storage, held[name], source / name)
        (found,) = storage.query(queries.text("rows_held"), {"table": name})
        if int(found["n"]) != rows:
            raise InvalidError(f"the backup of {name} is damaged: {found['n']} rows of {rows}")
        storage.command(f"SYSTEM START MERGES {name}")
    migrate(storage)


def _attach(storage: ClickHouse, table: Table, source: Path) -> None:
    """Attach every part; merges stand still meanwhile, so that the rows can be counted."""
    storage.command(f"SYSTEM STOP MERGES {table.name}")
    for part in sorted(source.iterdir()) if source.is_dir() else ():
        shutil.copytree(part, Path(table.path) / "detached" / part.name)
        storage.command(f"ALTER TABLE {table.name} ATTACH PART '{part.name}'")
