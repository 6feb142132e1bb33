"""``waymark`` commands as real processes: all is imported once, then forked for each call.

Run as a script it is the process that forks; ``Commands`` is its other end.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import services.cli.main

ROOT = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """Starts commands in a folder of their own, with nothing of this process's settings."""

    def __init__(self, folder: Path, **more: str) -> None:
        """Work in a folder; the process that forks begins with so much more in its environment."""
        self._folder = folder
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        environ = {name: text for name, text in os.environ.items() if "WAYMARK" not in name}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.support.commands"],
            cwd=ROOT, env=environ | more, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *args: object, **environ: str) -> Done:
        """Run a command to its end, under settings of the environment."""
        pid, output = self.start(*args, **environ)
        return Done(
            self.wait(pid),
            output.with_suffix(".out").read_text(),
            output.with_suffix(".err").read_text(),
        )

    def start(self, *args: object, **environ: str) -> tuple[int, Path]:
        """Begin a command; return its process id and where its output goes (.out and .err)."""
        output = self._folder / f"{next(self._numbers)}"
        order = {
            "argv": ["waymark", *map(str, args)], "environ": environ,
            "output": str(output), "folder": str(self._folder),
        }  # fmt: skip
        return self._order(order), output

    def poll(self, pid: int) -> int | None:
        """Return the exit status, None while it runs; once it was returned nobody may ask again."""
        status = self._order({"wait": pid})
        return None if status == RUNNING else status

    def wait(self, pid: int, seconds: float = 200) -> int:
        """Return the exit status; a command that takes too long is killed."""
        until = time.monotonic() + seconds
        while (status := self._order({"wait": pid})) == RUNNING:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        return status

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _order(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


RUNNING = 1_000


def child(order: dict[str, Any]) -> int:
    # Where the tests run in a shell's background, SIGINT is ignored, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["folder"])
    for number, end in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{order['output']}.{end}", os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order["environ"])
    sys.argv = order["argv"]
    try:
        services.cli.main.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        status = child(order)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    living: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            pid, status = os.waitpid(order["wait"], os.WNOHANG)
            living.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else RUNNING
        else:
            answer = fork(order)
            living.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in living:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    # Those who are forked have all of it already.
    import services.ingest.run
    import services.loader.run
    import services.metrics_api.run
    import services.sessionizer.run
    import services.standalone.run

    main()
