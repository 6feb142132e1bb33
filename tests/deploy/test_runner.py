"""The runner of ``make run-distributed`` over small processes: start, start again, end by id."""

import os
import signal
import socket
import stat
import sys
import threading
from pathlib import Path

import pytest

from deploy.distributed.child import Child, EndedError
from deploy.distributed.parts import Keys, Ports, parts
from deploy.distributed.runner import Runner
from services.common.settings import load
from tests.deploy.files import PORTS
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
    # keep() returns only by an error: one that ends again and again gives the end of this test.
    said: list[str] = []

    def keep() -> None:
        with pytest.raises(EndedError) as error:
            runner.keep()
        said.append(str(error.value))

    keeping = threading.Thread(target=keep)
    keeping.start()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: one.pid != before and not one.ended(), 60)
    while keeping.is_alive():
        if not one.ended():
            os.kill(one.pid, signal.SIGKILL)
        keeping.join(0.1)
    runner.end()
    assert "ends again and again" in said[0]


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
