"""Starts ``waymark run`` many times: imports once, then forks a process for each start.

Run as a script by ``tests.support.process``. Orders come as JSON lines, each answered by one line;
when they end, every child is killed.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from services.common.errors import WaymarkError
from services.common.settings import load
from services.standalone.run import run


def child(order: dict[str, Any]) -> int:
    os.setsid()
    output = os.open(order["output"], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        return run(load(environ={}, overrides=order["settings"]), False)
    except WaymarkError as error:
        sys.stdout.write(f"waymark: {error}\n")
        return 2


def start(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = child(order)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(status)


def main() -> None:
    living: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "start":
            answer = start(order)
            living.add(answer)
        else:
            _, status = os.waitpid(order["pid"], 0)
            living.discard(order["pid"])
            answer = os.waitstatus_to_exitcode(status)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in living:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
