"""The example of a TLS proxy, carried out by Caddy itself."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.kafka.broker import free_ports
from tests.deploy.files import DEPLOY, environment
from tests.support.commands import Commands
from tests.support.process import Part, eventually

CADDYFILE = DEPLOY / "proxy" / "Caddyfile"
CADDY = shutil.which("caddy") or ""
needs_caddy = pytest.mark.skipif(not CADDY, reason="Caddy is not installed on this machine")


@needs_caddy
def test_caddy_takes_the_file() -> None:
    subprocess.run([CADDY, "validate", "--config", CADDYFILE], check=True, capture_output=True)


NAME = environment(DEPLOY / "systemd/env.example")["WAYMARK_HOSTS"]


@contextmanager
def proxied(folder: Path, behind: int) -> Iterator[httpx.Client]:
    """Serve the file as it is but for TLS and ports; yield a client that asks under its name."""
    (port,) = free_ports(1)
    text = CADDYFILE.read_text().replace(f"{NAME} {{", f"http://{NAME}:{port} {{\n\tbind 127.0.0.1")
    for number in (8080, 8081):
        text = text.replace(f"127.0.0.1:{number}", f"127.0.0.1:{behind}")
    path = folder / "Caddyfile"
    path.write_text("{\n\tadmin off\n}\n" + text)
    address = f"http://127.0.0.1:{port}"
    with (
        subprocess.Popen(
            [CADDY, "run", "--config", path], env={"HOME": str(folder)}, stderr=subprocess.DEVNULL
        ) as process,
        httpx.Client(base_url=address, headers={"Host": NAME}) as client,
    ):
        try:
            eventually(lambda: _answers(client) or process.poll() is not None, 60)
            yield client
        finally:
            process.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/healthz").status_code)
    except httpx.TransportError:
        return False


@needs_caddy
def test_health_and_metrics_stay_inside(tmp_path: Path) -> None:
    (nobody,) = free_ports(1)
    with proxied(tmp_path, nobody) as proxy:
        for path in ("/metrics", "/healthz", "/readyz"):
            assert proxy.get(path).status_code == 404
        for answer in (proxy.get("/"), proxy.post("/v1/events", content=b"{}")):
            assert answer.status_code == 502, "handed on to what is not there"


@pytest.fixture(scope="module")
def behind(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Part]:
    """Yield Waymark in one process under the settings that systemd hands on beside Kafka."""
    given = environment(DEPLOY / "systemd/env.example")
    del given["WAYMARK_KAFKA"]
    part = Part(commands, "run", given | {"WAYMARK_DATA": tmp_path_factory.mktemp("data")})
    try:
        part.start()
        yield part
    finally:
        part.close()


VIEW = b'{"type":"page_view","visitor_id":"me","url":"https://shop.example/"}'


def _answered(client: httpx.Client, **headers: str) -> list[tuple[int, str]]:
    """Return how an event without a key and a read without a token are answered."""
    sent = client.post("/v1/events", content=VIEW, headers=headers)
    read = client.get("/v1/visitors/me", headers=headers)
    return [(one.status_code, one.json()["code"]) for one in (sent, read)]


def test_the_name_is_served_that_the_settings_give_and_no_other(behind: Part) -> None:
    assert _answered(behind.http, Host="evil.example") == [(400, "invalid_host")] * 2
    assert _answered(behind.http, Host=NAME) == [(401, "unauthorized")] * 2


@needs_caddy
def test_caddy_hands_on_what_waymark_takes(behind: Part, tmp_path: Path) -> None:
    with proxied(tmp_path, behind.port) as proxy:
        assert _answered(proxy) == [(401, "unauthorized")] * 2
