"""Runs a command where the data folder is: through the socket of the owner, or as its owner."""

import contextlib
import threading
import time
from typing import Any

from services.common.errors import FatalError, InvalidError
from services.common.ports import Progress, nothing
from services.common.settings import Settings
from services.standalone import control
from services.standalone.admin import unopened
from services.standalone.admin.commands import all_commands
from services.standalone.admin.context import AdminContext
from services.standalone.admin.registry import Command, Registry, find
from services.standalone.folder import Folder, FolderLock, InUseError
from services.standalone.parts import Parts, open_parts

STARTING_SECONDS = 15.0
"""How long a process that has the folder may take until it listens."""

NOBODY = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError, PermissionError)
"""What the socket of a folder says on which no process runs, or none that can be asked."""


def call(
    settings: Settings,
    name: str,
    args: dict[str, Any] | None = None,
    progress: Progress = nothing,
) -> Any:
    """Do a command on the settings' data folder, whether ``waymark run`` runs on it or not."""
    folder = Folder(settings.data)
    until = time.monotonic() + STARTING_SECONDS
    while True:
        with contextlib.suppress(*NOBODY):
            return control.ask(folder.control, name, args or {}, progress)
        try:
            lock = FolderLock(folder, begins=find(all_commands(), name).begins)
        except InUseError:  # its owner starts, and will listen in a moment
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
            continue
        with lock:
            if lock.first:
                progress(0, None, f"making data folder {folder.root}")
            try:
                return _alone(settings, name, args or {}, progress)
            except InvalidError:
                if lock.first:
                    lock.unmake()
                raise


def _alone(settings: Settings, name: str, args: dict[str, Any], progress: Progress) -> Any:
    """Do a command as the folder's owner; the lock is held."""
    command = find(all_commands(), name)
    try:
        return _opened(settings, command, args, progress)
    except unopened.TROUBLES as error:
        if name != "doctor":
            raise
        return unopened.report(settings, error, _fatal)


def _opened(settings: Settings, command: Command, args: dict[str, Any], progress: Progress) -> Any:
    with open_parts(settings, _fatal) as parts:
        parts.engine.catch_up()
        return command.handler(AdminContext(parts=parts, progress=progress, running=False), args)


def _fatal(error: BaseException) -> None:
    raise FatalError(f"the log failed: {error}") from error


class Runner:
    """Runs commands inside the owning process, for its control socket and its HTTP endpoints."""

    def __init__(self, parts: Parts, registry: Registry) -> None:
        """Run these commands on these parts."""
        self._parts = parts
        self._registry = registry
        self._alone = threading.Lock()
        self._running: list[str] = []

    @property
    def running(self) -> list[str]:
        """Return the names of the commands under way."""
        return list(self._running)

    def run(self, name: str, args: dict[str, Any], progress: Progress = nothing) -> Any:
        """Run one command in this thread; one that works alone waits for its turn."""
        command = find(self._registry, name)
        context = AdminContext(parts=self._parts, progress=progress, running=True)
        self._running.append(name)
        try:
            with self._alone if command.alone else contextlib.nullcontext():
                return command.handler(context, args)
        finally:
            self._running.remove(name)
