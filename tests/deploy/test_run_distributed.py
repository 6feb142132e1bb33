"""``make run-distributed`` as a user runs it: the printed lines work, and Ctrl-C ends all."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from deploy.kafka.broker import free_ports
from tests.deploy.files import ROOT
from tests.support.kafka import require_kafka
from tests.support.process import eventually

START_SECONDS = 240


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_it_prints_works_as_pasted_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    require_kafka()
    first, broker = (free_ports(1)[0] % 10_000 + base for base in (20_000, 31_000))
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


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if not listed.exists():
        found = subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        return [int(one) for one in found.split()]
    return [int(one) for one in listed.read_text().split() if int(one) != os.getpid()]
