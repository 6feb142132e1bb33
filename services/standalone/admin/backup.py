"""``waymark backup``: a copy of everything as of one moment, while ingest goes on.

What makes it one moment, in this order:

1. Fold, forwarder and loader stand still; what is applied is stored.
2. ``state.db`` is copied and storage frozen: together they say how far the log is applied and
   loaded, and hold all that was made of it.
3. All go on. The log is copied last: it has everything that 2 stands on and more, for nothing is
   trimmed meanwhile. A restored installation goes on from there as after a restart.

The manifest is written at the end: a folder without one is no backup.
"""

import secrets
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from services.common.errors import InvalidError
from services.standalone import snapshot, sqlite
from services.standalone.admin.arguments import required
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command
from services.standalone.folder import Folder
from services.standalone.snapshot import Frozen

MANIFEST = "manifest.json"
FORM = 1


class Manifest(Struct, frozen=True):
    """What a backup holds; ``form`` is the form of the folder itself."""

    form: int
    made_ms: int
    log_end: int
    storage: Frozen


def run(context: AdminContext, args: dict[str, Any]) -> dict[str, Any]:
    """Write a backup into a new or empty folder; return where, and how much of what it holds."""
    target = Folder(Path(required(args, "folder", str)))
    if target.root.exists() and any(target.root.iterdir()):
        raise InvalidError(f"folder = {target.root}: not empty; name a new one")
    try:
        target.make()
        manifest = _write(context, target)
    except OSError as error:
        raise InvalidError(f"folder = {target.root}: {error}") from error
    return {
        "folder": str(target.root),
        "made_ms": manifest.made_ms,
        "log_end": manifest.log_end,
        "rows": manifest.storage.rows,
    }


def _write(context: AdminContext, target: Folder) -> Manifest:
    name = f"backup_{secrets.token_hex(6)}"
    root = context.folder.clickhouse.resolve()
    made_ms = context.clock.now_ms()
    try:
        with context.log.holding():
            context.progress(0, None, "copying the state")
            with context.paused():
                context.states.copy_to(target.state)
                snapshot.freeze(context.storage, name)
            context.progress(0, None, "copying the log")
            sqlite.copy(context.folder.catalog, target.catalog)
            context.log.copy_to(target.log)
        frozen = snapshot.copy_frozen(
            context.storage, root, name, target.clickhouse, context.progress
        )
    finally:
        snapshot.thaw(root, name)
    manifest = Manifest(FORM, made_ms, context.log.end(), frozen)
    (target.root / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


COMMANDS = {"backup": Command(run)}
