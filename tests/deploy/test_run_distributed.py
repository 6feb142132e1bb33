"""``make run-distributed`` as a user runs it: the printed lines work, and Ctrl-C ends all."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.distributed.parts import Ports
from tests.deploy.files import ROOT
from tests.support.kafka import require_kafka
from tests.support.process import eventually

START_SECONDS = 240
WORKERS = 2
"""As many as are started where nothing else is said."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_it_prints_works_as_pasted_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    require_kafka()
    first, broker = _free_rows()
    output = tmp_path / "output.txt"
    command = [sys.executable, "-m", "deploy.distributed", "--data", str(tmp_path / "data")]
    ports = ["--first-port", str(first), "--kafka-port", str(broker)]
    with output.open("wb") as file:
        runner = subprocess.Popen([*command, *ports], cwd=ROOT, stdout=file, stderr=file)
    try:
        eventually(lambda: b"Try it:" in output.read_bytes() or runner.poll(), START_SECONDS)
        assert runner.poll() is None, output.read_text()
        post, ask = re.findall(r"^  (curl .+)$", output.read_text(), re.MULTILINE)
        url = re.findall(r"'(http://\S+)'", ask)[0]
        nobody = httpx.get(url, timeout=30)
        assert nobody.status_code == 404, f"look-ups work at once: {nobody.text}"
        sent = subprocess.run(post, shell=True, capture_output=True, text=True, check=True)
        assert '"accepted":1' in sent.stdout
        eventually(lambda: httpx.get(url, timeout=30).status_code == 200, 120)
        children = _children(runner.pid)
        assert len(children) == 7, "broker, storage, ingest, loader, metrics API, two workers"
    finally:
        runner.send_signal(signal.SIGINT)
        status = runner.wait(180)
    assert status == 0, output.read_text()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _free_rows() -> tuple[int, int]:
    """Return where the ports of the parts and those of the broker begin, all of them free now."""
    ports = Ports.first(0, WORKERS)
    parts = {ports.ingest, ports.metrics_api, ports.loader, ports.clickhouse, *ports.sessionizers}
    end = max(parts) + 1
    below_ephemeral = range(20_000, 32_000, end + 2)
    for first in random.sample(below_ephemeral, len(below_ephemeral)):
        if all(map(_is_free, (first + one for one in (*parts, end, end + 1)))):
            return first, first + end
    raise AssertionError("no row of ports is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        found = subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        return [int(one) for one in found.split()]
    return [int(one) for one in listed.read_text().split() if int(one) != os.getpid()]
