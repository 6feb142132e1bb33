"""``waymark sessionizer``: one worker of the group. The composition root.

Start: address, topics, catalog, HTTP, then Faust, which joins the group and brings partitions.
Stop (SIGTERM, SIGINT), in this order: not ready; all that is folded is stored; the group's offsets;
the announcements are taken back; the group is left, so that others take over at once; producers and
HTTP end. A second signal, or a stop that takes too long, may as well be a kill: nothing is lost.
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn
import uvloop
from aiokafka.errors import KafkaError

from services.common import logging
from services.common.clock import SystemClock
from services.common.connection import Connection
from services.common.errors import FatalError
from services.common.fatal import die
from services.common.garbage import collect_seldom
from services.common.metrics import Metrics
from services.common.policy_file import mark_of, policy_of
from services.common.rules import CatalogRules
from services.common.server import listen, url_of
from services.common.settings import Settings
from services.common.starting import begin
from services.sessionizer.announce import AGAIN_SECONDS, Announcer
from services.sessionizer.app import COMMIT_SECONDS, make_app
from services.sessionizer.core.policy import Policy
from services.sessionizer.owners import Owners
from services.sessionizer.pulse import Pulse
from services.sessionizer.tally import Tally
from services.sessionizer.web import Worker as Shown
from services.sessionizer.web import create_web

DRAIN_SECONDS = 0.1
LOOK_SECONDS = 5.0
STOP_SECONDS = 20.0
"""For leaving the group; what is stored is stored by then."""


def run(settings: Settings) -> int:
    """Work until told to stop; return the exit status.

    Raises ``InvalidError`` where a setting, a topic or the address is wrong, and
    ``UnavailableError`` where Kafka does not answer.
    """
    logging.configure(settings)
    with listen(settings.host, settings.port) as address:
        uvloop.run(_serve(settings, address))
    return 0


async def _serve(settings: Settings, address: socket.socket) -> None:
    policy = policy_of(settings.policy)
    settings.data.mkdir(parents=True, exist_ok=True)  # Faust makes a folder in it
    with closing(await asyncio.to_thread(begin, settings, address, "sessionizer")) as catalog:
        worker = Worker(settings, address, CatalogRules(catalog, policy), policy)
        await worker.work()


class Worker:
    """One worker on a taken address."""

    def __init__(
        self, settings: Settings, address: socket.socket, rules: CatalogRules, policy: Policy
    ) -> None:
        """Put the parts together; nothing runs yet."""
        self._address = address
        metrics = Metrics()
        tally = Tally(metrics)
        self._owners = Owners(settings, rules, policy.time, tally)
        self._app, self._reader = make_app(settings, self._owners, die)
        self._pulse = Pulse(settings, self._owners, tally)
        url = settings.advertise or url_of(settings.host, address, socket.gethostname())
        self._announcer = Announcer(settings, url, mark_of(policy), SystemClock())
        shown = Shown(self._owners, self._pulse, metrics, settings.kafka_partitions, self._unready)
        self._server = _server(shown)
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def work(self) -> None:
        """Run until told to stop, then stop in order."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self._pulse.start()
        await self._announcer.start()
        collect_seldom()
        self._begin(self._server.serve(sockets=[self._address]))
        self._begin(self._app.start())
        self._begin(_every(DRAIN_SECONDS, self._drain))
        self._begin(_every(COMMIT_SECONDS, self._tell))
        self._begin(_every(LOOK_SECONDS, _patiently(self._pulse.look)))
        self._begin(self._announce())
        await stop.wait()
        await self._stop()

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            die(error)

    # -- what goes on

    async def _drain(self) -> None:
        self._pulse.turn()
        self._owners.drain()
        if self._app.crashed and not self._stopping:
            raise self._app.crash_reason or FatalError("Faust crashed and does not say why")

    def _unready(self) -> str:
        if self._stopping:
            return "the process is shutting down"
        moving = self._owners.moving or self._app.rebalancing or not self._app.tables.actives_ready
        return "partitions are being taken over" if moving else ""

    async def _tell(self) -> None:
        if not self._owners.moving:
            await self._owners.tell(self._reader.commit)

    async def _announce(self) -> None:
        """Say who owns what after every change, and again from time to time."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    await self._owners.changed.wait()
            self._owners.changed.clear()
            await _patiently(self._say)()

    async def _say(self) -> None:
        await self._announcer.announce([owner.number for owner in self._owners.every()])

    # -- the end

    async def _stop(self) -> None:
        log = logging.get("sessionizer")
        log.info("stopping")
        self._stopping = True
        await self._owners.close()
        await self._owners.tell(self._reader.commit)
        server, app, *rest = self._tasks
        for task in (app, *rest):
            task.cancel()
        await _patiently(self._announcer.withdraw)()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._app.stop()
        except TimeoutError:
            log.warning("leaving the group took too long; the group notices by itself")
        await self._owners.stop()
        await self._announcer.stop()
        await self._pulse.stop()
        self._server.should_exit = True
        await server
        log.info("stopped")


def _patiently(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Have what a broker refuses now tried again later."""

    async def tried() -> None:
        try:
            await work()
        except (KafkaError, OSError) as error:
            logging.get("sessionizer").warning("trying again later", error=repr(error))

    return tried


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await work()


class _Server(uvicorn.Server):
    """A server in a loop that has other work; signals are the worker's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _server(shown: Shown) -> _Server:
    return _Server(
        uvicorn.Config(
            create_web(shown),
            http=Connection,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
        )
    )
