"""The example of a TLS proxy, carried out by Caddy itself."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.kafka.broker import free_ports
from tests.deploy.files import DEPLOY
from tests.support.process import eventually

CADDYFILE = DEPLOY / "proxy" / "Caddyfile"
CADDY = shutil.which("caddy") or ""
needs_caddy = pytest.mark.skipif(not CADDY, reason="Caddy is not installed on this machine")


@needs_caddy
def test_caddy_takes_the_file() -> None:
    subprocess.run([CADDY, "validate", "--config", CADDYFILE], check=True, capture_output=True)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    """Yield where the file is served as it is but for its name, without TLS; nothing is behind."""
    port, behind = free_ports(2)
    address = f"http://127.0.0.1:{port}"
    text = CADDYFILE.read_text().replace("waymark.example.com {", f"{address} {{")
    for number in (8080, 8081):
        text = text.replace(f"127.0.0.1:{number}", f"127.0.0.1:{behind}")
    path = tmp_path / "Caddyfile"
    path.write_text("{\n\tadmin off\n}\n" + text)
    with subprocess.Popen(
        [CADDY, "run", "--config", path], env={"HOME": str(tmp_path)}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            eventually(lambda: _answers(address) or process.poll() is not None, 60)
            yield address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return bool(httpx.get(address))
    except httpx.TransportError:
        return False


@needs_caddy
def test_health_and_metrics_stay_inside(proxy: str) -> None:
    for path in ("/metrics", "/healthz", "/readyz"):
        assert httpx.get(proxy + path).status_code == 404
    for answer in (httpx.get(proxy + "/"), httpx.post(proxy + "/v1/events", content=b"{}")):
        assert answer.status_code == 502, "handed on to what is not there"
