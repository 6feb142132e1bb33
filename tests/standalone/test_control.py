"""The control socket: the protocol, errors by their kind, and callers that go away."""

import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import FatalError, InvalidError, UnavailableError
from services.common.ports import Progress, nothing
from services.standalone.control import CallerGoneError, ControlServer, ask

Handler = Callable[[dict[str, Any], Progress], Any]


def echo(args: dict[str, Any], progress: Progress) -> Any:
    for number in range(3):
        progress(number, 3, "echoing")
    progress(3, 3, "echoing")
    return args


def refuse(args: dict[str, Any], _progress: Progress) -> Any:
    raise {"invalid": InvalidError, "unavailable": UnavailableError}[args["kind"]]("because")


def break_(_args: dict[str, Any], _progress: Progress) -> Any:
    raise ZeroDivisionError("a bug")


HANDLERS: dict[str, Handler] = {"echo": echo, "refuse": refuse, "break": break_}


def run(name: str, args: dict[str, Any], progress: Progress) -> Any:
    return HANDLERS[name](args, progress)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "control.sock"
    server = ControlServer(place, run)
    yield place
    server.close()


def test_a_command_tells_its_progress_and_then_its_result(path: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    args = {"n": 1, "text": "ä", "none": None}
    assert ask(path, "echo", args, lambda *one: told.append(one)) == args
    assert told[-1] == (3, 3, "echoing")


def test_the_wire_is_one_json_object_a_line(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(path))
        link.sendall(b'{"command":"echo","args":{"a":1}}\n')
        lines = [json.loads(line) for line in link.makefile("rb")]
    assert lines[0] == {"progress": [0, 3, "echoing"]}
    assert lines[-1] == {"result": {"a": 1}}


@pytest.mark.parametrize(
    ("kind", "error"), [("invalid", InvalidError), ("unavailable", UnavailableError)]
)
def test_an_error_keeps_its_kind_and_message(path: Path, kind: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="because"):
        ask(path, "refuse", {"kind": kind}, nothing)


def test_a_bug_in_a_handler_is_told_and_the_server_goes_on(path: Path) -> None:
    with pytest.raises(FatalError, match="ZeroDivisionError: a bug"):
        ask(path, "break", {}, nothing)
    assert ask(path, "echo", {}, nothing) == {}


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"args":{}}\n', b'{"command":"x","more":1}\n'])
def test_what_is_no_command_is_refused(path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(path))
        link.sendall(line)
        answer = json.loads(link.makefile("rb").readline())
    assert answer["error"]["code"] == "invalid"


def test_only_the_folders_owner_can_open_it_and_it_goes_at_the_end(tmp_path: Path) -> None:
    place = tmp_path / "control.sock"
    place.touch()  # what a killed process left
    server = ControlServer(place, run)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    server.close()
    assert not place.exists()
    with pytest.raises(FileNotFoundError):
        ask(place, "echo", {}, nothing)


def test_a_deep_folder_is_reached_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = ControlServer(deep / "control.sock", run)
    assert ask(deep / "control.sock", "echo", {"a": 1}, nothing) == {"a": 1}
    server.close()


def test_work_stops_when_its_caller_goes_away(tmp_path: Path) -> None:
    ended = threading.Event()

    def long(_name: str, _args: dict[str, Any], progress: Progress) -> Any:
        try:
            for number in range(10_000):
                progress(number, number, "working")
                ended.wait(0.001)
        except CallerGoneError:
            ended.set()
            raise
        return None

    server = ControlServer(tmp_path / "control.sock", long)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(tmp_path / "control.sock"))
        link.sendall(b'{"command":"long"}\n')
        assert link.recv(100)
    assert ended.wait(10)
    server.close()
