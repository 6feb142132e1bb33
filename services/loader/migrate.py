"""Numbered migrations: the files of ``migrations/`` in order, each applied once.

A file holds plain statements, each ended by ``;`` at a line's end; every one may be repeated, so
that a migration which a crash cut short simply runs again. The same files serve a cluster
(``cluster``).
"""

from importlib.resources import files

from msgspec import Struct

from services.common.ports import Storage
from services.loader.cluster import rendered
from services.loader.text import text


class Migration(Struct, frozen=True):
    """One numbered file and its statements."""

    name: str
    statements: list[str]


def migrations() -> list[Migration]:
    """Return all migrations in the order of their numbers."""
    folder = files("services.loader") / "migrations"
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [Migration(name, statements((folder / name).read_text("utf-8"))) for name in found]


def statements(file: str) -> list[str]:
    """Split a file into its statements, without comment lines."""
    kept = "\n".join(line for line in file.splitlines() if not line.startswith("--"))
    return [part.strip() for part in f"{kept}\n".split(";\n") if part.strip()]


def applied(storage: Storage, cluster: str = "") -> set[str]:
    """Return the names of the migrations that were carried out whole.

    A store that has the table of them is only asked, which a user without rights to create may.
    """
    (there,) = storage.query(text("migrations_there"))
    if not there["result"]:
        for statement in rendered(text("migrations_table").strip(), cluster):
            storage.command(statement)
    return {row["name"] for row in storage.query(text("migrations_applied"))}


def migrate(storage: Storage, cluster: str = "") -> list[str]:
    """Apply what is missing and return the names applied now; nothing on a current store.

    ``cluster`` is the name of the cluster that the tables are spread over, empty on one server.
    """
    done = applied(storage, cluster)
    fresh = [migration for migration in migrations() if migration.name not in done]
    for migration in fresh:
        for statement in migration.statements:
            for part in rendered(statement, cluster):
                storage.command(part)
        storage.insert("migrations", [b'{"name":"%s"}' % migration.name.encode()], migration.name)
    return [migration.name for migration in fresh]
