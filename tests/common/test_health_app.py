"""What a part says to whoever restarts it, and to whoever sends it work."""

import httpx
import pytest

from services.common.health_app import health_app
from services.common.metrics import Metrics


@pytest.mark.parametrize(
    ("dead", "unready", "healthz", "readyz"),
    [
        ("", "", "", ""),
        ("", "moving", "", "moving"),
        ("hangs", "", "hangs", "hangs"),
        ("hangs", "moving", "hangs", "hangs"),
    ],
)
async def test_the_dead_are_not_ready(dead: str, unready: str, healthz: str, readyz: str) -> None:
    app = health_app(alive=lambda: dead, ready=lambda: unready, metrics=Metrics())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://part") as client:
        for path, trouble in (("/healthz", healthz), ("/readyz", readyz)):
            answer = await client.get(path)
            if not trouble:
                assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
                continue
            assert answer.status_code == 503
            assert answer.json() == {"code": "unavailable", "message": trouble}
            assert int(answer.headers["Retry-After"]) > 0
        told = await client.get("/metrics")
    assert told.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# HELP waymark_" in told.content


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/v1/nothing", 404, "not_found"), ("POST", "/healthz", 405, "method_not_allowed")],
)
async def test_what_is_not_answered_is_refused_in_the_one_shape(
    method: str, path: str, status: int, code: str
) -> None:
    app = health_app(alive=str, ready=str, metrics=Metrics())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://part") as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message"}
