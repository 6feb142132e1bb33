"""A part that cannot work yet says so, in words: to balancers, and once in its log."""

import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.commands import Commands
from tests.support.process import eventually, free_port

PARTS = ("ingest", "sessionizer", "loader", "metrics-api")
WAIT = 60.0


@pytest.mark.parametrize("part", PARTS)
def test_a_part_without_brokers_says_what_it_waits_for(
    commands: Commands, part: str, tmp_path: Path
) -> None:
    port, nobody = free_port(), f"127.0.0.1:{free_port()}"
    environ = {
        "WAYMARK_KAFKA": nobody,
        "WAYMARK_CLICKHOUSE": "http://127.0.0.1:1/waymark",
        "WAYMARK_PORT": str(port),
        "WAYMARK_DATA": str(tmp_path),
        "WAYMARK_LOG_FORMAT": "json",
    }
    pid, output = commands.start(part, **environ)

    def ask(path: str) -> httpx.Response | None:
        assert commands.poll(pid) is None, output.with_suffix(".err").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)
        except httpx.TransportError:
            return None

    ready = eventually(lambda: ask("/readyz"), WAIT)
    assert ready.status_code == 503
    assert ready.headers["Retry-After"]
    assert ready.json()["code"] == "unavailable"
    assert f"waits for the topics at Kafka {nobody}" in ready.json()["message"]
    asked = eventually(lambda: ask("/v1/live/counts"), WAIT)
    assert (asked.status_code, asked.json()) == (503, ready.json())
    alive = eventually(lambda: ask("/healthz"), WAIT)
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    logged = [json.loads(line) for line in output.with_suffix(".err").read_text().splitlines()]
    told = [line["waits_for"] for line in logged if line["event"] == "starting"]
    assert told == [f"the topics at Kafka {nobody}"]
    os.kill(pid, signal.SIGTERM)
    assert commands.wait(pid) == -signal.SIGTERM


def test_a_wrong_setting_is_told_before_anything_is_waited_for(commands: Commands) -> None:
    done = commands.run("loader", WAYMARK_KAFKA="", WAYMARK_PORT="0")
    assert done.status == 2
    assert "WAYMARK_KAFKA is empty" in done.err
    assert "waits_for" not in done.err
