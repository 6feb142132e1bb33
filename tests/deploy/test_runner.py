"""The runner of ``make run-distributed`` over small processes: start, start again, end by id."""

import asyncio
import os
import resource
import signal
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest

from deploy.distributed.__main__ import main
from deploy.distributed.banner import commands_settings
from deploy.distributed.child import Child, EndedError
from deploy.distributed.kafka import Kafka
from deploy.distributed.parts import Keys, Ports, parts
from deploy.distributed.runner import TRIES, Runner
from deploy.distributed.taken import is_free, refuse_taken
from deploy.kafka.broker import free_ports
from services.common.settings import load
from services.common.topics_made import ensure_topics
from tests.deploy.files import PORTS
from tests.support.kafka import require_kafka, settings_for
from tests.support.process import eventually

SERVES = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def child(folder: Path, code: str = SERVES) -> Child:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", code, str(port)]
    return Child("small", command, {}, folder / "small.log", f"http://127.0.0.1:{port}/")


def kept(runner: Runner) -> tuple[threading.Thread, list[str]]:
    """Keep in a thread, whose end is that of a part that ends again and again: then it is told."""
    said: list[str] = []

    def keep() -> None:
        with pytest.raises(EndedError) as error:
            runner.keep()
        said.append(str(error.value))

    keeping = threading.Thread(target=keep, daemon=True)
    keeping.start()
    return keeping, said


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_was_started_answers_and_ends_whole(tmp_path: Path) -> None:
    runner = Runner()
    some = [child(tmp_path), child(tmp_path)]
    runner.start(some)
    pids = [one.pid for one in some]
    assert all(map(alive, pids))
    runner.end()
    assert not any(map(alive, pids))


def test_one_that_is_killed_is_started_again(tmp_path: Path) -> None:
    runner, one = Runner(), child(tmp_path)
    runner.start([one])
    before = one.pid
    keeping, said = kept(runner)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: one.pid != before and not one.ended(), 60)
    while keeping.is_alive():
        if not one.ended():
            os.kill(one.pid, signal.SIGKILL)
        keeping.join(0.1)
    runner.end()
    assert "ends again and again" in said[0]


def test_a_killed_broker_is_started_again_with_all_it_had(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    require_kafka()
    runner, broker = Runner(), Kafka(tmp_path, pair())
    settings = settings_for(broker.address)
    try:
        runner.start([broker])
        asyncio.run(ensure_topics(settings, ["events"]))
        before = broker.pid
        keeping, _ = kept(runner)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: broker.pid != before, 60)
        broker.wait_ready()
        assert not alive(before), "it is reaped"
        asyncio.run(ensure_topics(settings, ["events"]))
        assert "kafka ended and is started again" in capfd.readouterr().out
        broker.started *= TRIES  # so that its next end is the last
        os.kill(broker.pid, signal.SIGKILL)
        keeping.join()
    finally:
        runner.end()


def pair() -> int:
    """Return a free port with a free one after it."""
    found = iter(lambda: free_ports(1)[0], 0)
    return next(port for port in found if is_free(port + 1))


@pytest.mark.parametrize("part", ["ingest", "sessionizers", "kafka"])
def test_a_port_that_is_taken_is_refused_with_the_option_that_moves_it(part: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        mine = taken if part == "ingest" else free_ports(1)[0]
        nowhere = Ports(mine, 0, (0, taken) if part == "sessionizers" else (), 0, 0)
        option = "--kafka-port" if part == "kafka" else "--first-port"
        with pytest.raises(EndedError, match=f"port {taken} .* by {part}") as refused:
            refuse_taken(nowhere, taken - 1 if part == "kafka" else 0)
    assert f'make run-distributed ARGS="{option} ' in str(refused.value)
    refuse_taken(nowhere, 0)


def test_a_port_that_cannot_be_looked_at_is_not_called_taken() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))  # no socket can be made
    try:
        with pytest.raises(EndedError) as refused:
            refuse_taken(Ports(80, 0, (), 0, 0), 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    said = str(refused.value)
    assert "port 80 of 127.0.0.1, wanted by ingest, cannot be used: Too many open files; " in said
    assert 'ARGS="--first-port 8300"' in said


@pytest.mark.parametrize(
    ("given", "last"),
    [
        ("--first-port 65530", 65573),
        ("--first-port 65480 --workers 7", 65542),
        ("--first-port 0", 43),
        ("--first-port 65500 --workers 0", 65543),
        ("--first-port -1", 42),
        ("--kafka-port 65535", 65536),
        ("--kafka-port 0", 1),
    ],
)
def test_a_port_that_is_none_is_refused_with_its_option(
    given: str, last: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given.split())
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"{given.partition(' --')[0]}: ports are 1 to 65535; it takes up to {last}" in said


def test_the_settings_of_a_command_are_all_there_but_for_what_is_secret() -> None:
    environ = {
        "WAYMARK_KAFKA_PREFIX": "shop",
        "WAYMARK_KAFKA_PASSWORD": "s3cr3t",
        "WAYMARK_CLICKHOUSE": "https://waymark:s3cr3t@store:8443/waymark",
        "WAYMARK_LOG_LEVEL": "debug",
        "HOME": "/home/me",
    }
    shared = {"WAYMARK_KAFKA": "kafka:9092", "WAYMARK_CLICKHOUSE": environ["WAYMARK_CLICKHOUSE"]}
    assert commands_settings(shared, environ) == (
        "WAYMARK_KAFKA_PREFIX=shop WAYMARK_KAFKA_PASSWORD='***' "
        "WAYMARK_CLICKHOUSE='https://waymark:***@store:8443/waymark' WAYMARK_KAFKA=kafka:9092"
    )


@pytest.mark.parametrize("query", ["access_token=s3cr3t", "Password=s3cr3t", "user=a&pw=s3cr3t"])
def test_what_stands_in_a_query_is_never_shown(query: str) -> None:
    shared = {"WAYMARK_CLICKHOUSE": f"https://store:8443/waymark?{query}"}
    assert commands_settings(shared, {}) == "WAYMARK_CLICKHOUSE='https://store:8443/waymark?***'"


def test_one_that_ends_at_once_tells_its_last_words(tmp_path: Path) -> None:
    runner = Runner()
    with pytest.raises(EndedError, match="no such topic"):
        runner.start([child(tmp_path, "raise SystemExit('no such topic')")])
    runner.end()


def test_keys_are_made_once_for_their_owner_alone(tmp_path: Path) -> None:
    keys = Keys.of(tmp_path)
    assert Keys.of(tmp_path) == keys
    assert keys.write != keys.read
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600


def test_every_part_gets_settings_it_takes_and_a_folder_of_its_own(tmp_path: Path) -> None:
    ports = Ports.first(8080, 2)
    shared = {"WAYMARK_KAFKA": "127.0.0.1:9092", "WAYMARK_CLICKHOUSE": "http://127.0.0.1:8123/w"}
    made = parts(tmp_path, ports, Keys("wk", "rt"), shared)
    settings = [load(one._environ) for one in made]
    assert len({one.data for one in settings}) == len(made) == 5
    assert len({one.port for one in settings}) == len(made)
    by_name = {
        one._command[1]: setting.port
        for one, setting in zip(made, settings, strict=True)
        if one.name != "sessionizer-2"
    }
    assert by_name == PORTS
