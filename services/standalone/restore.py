"""``waymark restore``: a backup becomes the data folder of an installation that was none."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from services.common.clickhouse import open_storage
from services.common.errors import InvalidError
from services.common.ports import Progress, nothing
from services.common.settings import Settings
from services.standalone.admin.backup import FORM, MANIFEST, Manifest
from services.standalone.folder import Folder, FolderLock
from services.standalone.snapshot import thaw_into


def restore(settings: Settings, source: Path, progress: Progress = nothing) -> dict[str, Any]:
    """Bring a backup into the settings' data folder, which must be empty; return what it holds.

    Raises ``InvalidError`` for a folder that is in use or not empty, or no whole backup. What a
    restore that failed has left is taken away again.
    """
    backup, folder = Folder(source), Folder(settings.data)
    manifest = _manifest(backup)
    with FolderLock(folder):
        present = [path.name for path in folder.root.iterdir() if path != folder.lock]
        if present:
            raise InvalidError(f"{folder.root} is not empty: it has {', '.join(sorted(present))}")
        try:
            _bring(backup, folder, manifest, progress)
        except BaseException:
            _empty(folder)
            raise
    return {
        "folder": str(folder.root),
        "made_ms": manifest.made_ms,
        "log_end": manifest.log_end,
        "rows": manifest.storage.rows,
    }


def _manifest(backup: Folder) -> Manifest:
    path = backup.root / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidError(f"{backup.root} is no whole backup: {MANIFEST}: {why}") from error
    if manifest.form != FORM:
        raise InvalidError(f"{path}: form = {manifest.form}, known is {FORM}")
    return manifest


def _bring(backup: Folder, folder: Folder, manifest: Manifest, progress: Progress) -> None:
    storage = open_storage(f"chdb://{folder.clickhouse.resolve()}")
    try:
        thaw_into(storage, backup.clickhouse, manifest.storage, progress)
    finally:
        storage.close()
    pairs = ((backup.catalog, folder.catalog), (backup.log, folder.log))
    for one, other in (*pairs, (backup.state, folder.state)):
        progress(0, None, f"restoring {one.name}")
        shutil.copyfile(one, other)


def _empty(folder: Folder) -> None:
    """Take away what a failed restore left, so that it can be tried again."""
    shutil.rmtree(folder.clickhouse, ignore_errors=True)
    for path in (folder.catalog, folder.log, folder.state):
        path.unlink(missing_ok=True)
