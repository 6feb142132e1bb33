"""``waymark run``: everything in one process on one data folder. The composition root.

Start: address, lock, parts, threads, control socket, server; then ingest accepts and time passes.
Stop (SIGTERM, SIGINT): not ready, no new connection, requests under way finish, time stands,
threads end after their turns, files close. All that was answered 200 is on disk at every moment of
it, so a stop that takes too long may as well be a kill: where a thread or a command still uses the
files, the process ends and closes none.
"""

from contextlib import ExitStack
from socket import socket

from services.common import logging
from services.common.fatal import die, leave
from services.common.garbage import collect_seldom
from services.common.server import Server, listen, url_of
from services.common.settings import Settings
from services.demo.thread import Demo
from services.history.nightly import Nightly
from services.standalone.admin.call import Runner
from services.standalone.admin.commands import all_commands
from services.standalone.app import create_app, open_reads
from services.standalone.control import ControlServer
from services.standalone.folder import Folder, FolderLock
from services.standalone.parts import Parts, open_parts
from services.standalone.welcome import welcome

ENGINE_SECONDS = 3.0


def run(settings: Settings, demo: bool = False) -> int:  # noqa: FBT001, FBT002 - a command's flag
    """Serve until told to stop; return the exit status.

    Raises ``InvalidError`` where the folder is in use, the address taken or a setting wrong.
    """
    logging.configure(settings)
    folder = Folder(settings.data)
    with ExitStack() as closing:
        address = closing.enter_context(listen(settings.host, settings.port))
        closing.enter_context(FolderLock(folder))
        parts = closing.enter_context(open_parts(settings, die))
        Standalone(parts, address, demo=demo).serve()
    return 0


class Standalone:
    """One running installation on opened parts and a taken address."""

    def __init__(self, parts: Parts, address: socket, *, demo: bool = False) -> None:
        """Build the application; nothing runs yet."""
        self._parts = parts
        self._address = address
        self._runner = Runner(parts, all_commands())
        parts.engine.upkeep.add(Nightly(self._runner.run, parts.catalog, parts.clock).run)
        self._face = create_app(parts, self._runner, lambda: self.server.stopping)
        self.server = Server(self._face.app, on_started=self._started, on_stopping=self._stopping)
        self.url = url_of(parts.settings.host, address)
        self._demo = Demo(self.url, parts.catalog, parts.clock) if demo else None

    def serve(self) -> None:
        """Run until the server was told to stop, then end everything that runs."""
        log = logging.get("standalone")
        self._parts.engine.start()
        control = ControlServer(self._parts.folder.control, self._runner.run)
        try:
            self.server.run(sockets=[self._address])
        finally:
            self._parts.log.accept(False)
            if self._demo:
                self._demo.join()
            control.close()
            ended = self._parts.engine.stop(ENGINE_SECONDS)
            if not ended:
                log.warning("a thread did not end in time; the next start repeats its turn")
            if commands := self._runner.running:
                log.warning("commands under way are cut off", commands=commands)
        log.info("stopped")
        if commands or not ended:  # they use the files: nothing is closed under them
            leave()

    def _started(self) -> None:
        parts = self._parts
        collect_seldom()
        parts.log.accept(True)
        text = welcome(
            parts.settings,
            self.url,
            parts.catalog.first_start(),
            open_reads=open_reads(parts.settings),
        )
        print(text, flush=True)  # noqa: T201 - what a person starts the command for
        if self._demo:
            self._demo.start()

    def _stopping(self) -> None:
        logging.get("standalone").info("stopping")
        if self._demo:
            self._demo.stop()
        self._parts.engine.feed.close()
        self._face.reads.state.parts.followers.close()
