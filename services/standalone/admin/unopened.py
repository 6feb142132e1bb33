"""``waymark doctor`` on a folder that does not open: each part is tried alone, and named."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

from services.common.catalog import Catalog
from services.common.clickhouse import open_storage
from services.common.clock import SystemClock
from services.common.errors import RetryableError, WaymarkError
from services.common.metrics import Metrics
from services.common.policy_file import read_policy
from services.common.settings import Settings
from services.standalone.admin.doctor import Check, told
from services.standalone.folder import Folder
from services.standalone.log import SqliteLog
from services.standalone.state_store import SqliteStates
from services.standalone.worker import OnFatal

TROUBLES = (WaymarkError, OSError, sqlite3.Error)
RESTORE = "bring back a backup into a new folder: waymark restore BACKUP --data NEW"
DAMAGED = {
    "policy": "mend the file (waymark policy check FILE), or unset WAYMARK_POLICY",
    "catalog": f"it holds keys and sources; {RESTORE}",
    "log": f"it holds what storage may not have yet; {RESTORE}",
    "state": f"it holds live visits; {RESTORE}",
    "storage": f"{RESTORE}; nothing in the log is lost meanwhile",
}
LATER = "free some disk, or give this user the right to read and write there; then start again"


class _Closes(Protocol):
    def close(self) -> None: ...


def report(settings: Settings, error: Exception, on_fatal: OnFatal) -> dict[str, Any]:
    """Return doctor's report of a folder that did not open, or catch up, for this error."""
    folder = Folder(settings.data)
    checks = [_tried(name, part) for name, part in _parts(settings, folder, on_fatal).items()]
    if all(check.verdict == "ok" for check in checks):
        checks.append(Check("folder", "wrong", _words(error), "mend what the message names"))
    return told(checks)


def _parts(
    settings: Settings, folder: Folder, on_fatal: OnFatal
) -> dict[str, Callable[[], _Closes | None]]:
    clock = SystemClock()

    def policy() -> None:
        if settings.policy:
            read_policy(settings.policy)

    return {
        "policy": policy,
        "catalog": lambda: Catalog(folder.catalog, clock),
        "log": lambda: SqliteLog(
            folder.log,
            clock,
            on_fatal=on_fatal,
            metrics=Metrics(),
            limit_bytes=settings.in_flight_bytes,
        ),
        "state": lambda: SqliteStates(folder.state),
        "storage": lambda: open_storage(f"chdb://{folder.clickhouse.resolve()}"),
    }


def _tried(name: str, opened: Callable[[], _Closes | None]) -> Check:
    try:
        part = opened()
    except TROUBLES as error:
        do = LATER if isinstance(error, RetryableError | OSError) else DAMAGED[name]
        if name == "storage":
            do = f"{LATER}; if that is no help: {DAMAGED[name]}"
        return Check(name, "wrong", _words(error), do)
    if part is not None:
        part.close()
    return Check(name, "ok", "it opens")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
