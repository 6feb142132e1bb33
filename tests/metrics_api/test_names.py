"""The page of names against the code: what it calls built is there, the rest is not."""

import re
from pathlib import Path

import httpx
import pytest
import typer.main

from services.cli.main import build
from services.common.settings import PREFIX, Settings
from services.formats.registry import FORMATS
from services.metrics_api.registry import METRICS

Endpoints = set[tuple[str, str]]
UNBUILT = "\n## Designed, not built yet\n"


@pytest.fixture(scope="module")
def halves() -> tuple[str, str]:
    """Return what the page says of what is built, and of what is designed only."""
    text = Path("docs/api.md").read_text("utf-8")
    assert text.count(UNBUILT) == 1
    built, _, designed = text.partition(UNBUILT)
    return built, designed


def _plain(path: str) -> str:
    """Return the path whatever its parameters are called."""
    return re.sub(r"{\w+}", "{}", path)


def _named(text: str) -> Endpoints:
    """Return method and path of every endpoint named; without a method it is a read."""
    return {
        (method.lower(), _plain(path))
        for methods, path in re.findall(r"`(?:([A-Z/]+) )?(/v1/[\w{}/-]+)", text)
        for method in (methods or "GET").split("/")
    }


@pytest.fixture
async def known(client: httpx.AsyncClient) -> Endpoints:
    paths = (await client.get("/openapi.json")).json()["paths"]
    return {(method, _plain(path)) for path, operations in paths.items() for method in operations}


def test_every_endpoint_built_is_in_the_openapi_document(
    halves: tuple[str, str], known: Endpoints
) -> None:
    named = _named(halves[0])
    assert {("post", "/v1/events"), ("get", "/v1/carts/{}"), ("delete", "/v1/users/{}")} <= named
    assert len(named) > 15
    assert named <= known


def test_no_endpoint_designed_only_is_in_the_openapi_document(
    halves: tuple[str, str], known: Endpoints
) -> None:
    named = _named(halves[1])
    assert {("get", "/v1/funnel"), ("post", "/v1/annotations")} <= named
    assert not named & known


def test_every_metric_stands_where_it_belongs(halves: tuple[str, str]) -> None:
    built, designed = (set(re.findall(r"`(\w+)`", half)) for half in halves)
    assert METRICS.keys() <= built
    assert {"nps", "lcp_ms"} <= designed
    assert not METRICS.keys() & designed


def test_every_setting_stands_where_it_belongs(halves: tuple[str, str]) -> None:
    built, designed = (set(re.findall(rf"\b{PREFIX}([A-Z_]+)\b", half)) for half in halves)
    settings = {name.upper() for name in Settings.model_fields}
    assert "CLICKHOUSE" in built
    assert built <= settings
    assert "WEBHOOKS" in designed
    assert not designed & settings


def test_every_command_stands_where_it_belongs(halves: tuple[str, str]) -> None:
    built, designed = (set(re.findall(r"`waymark ([a-z][a-z-]*)", half)) for half in halves)
    known = typer.main.get_command(build()).commands.keys()  # type: ignore[attr-defined]
    assert built == known
    assert designed == {"alerting", "alerts", "review", "reconcile"}
    assert not designed & known


def test_every_format_stands_where_it_belongs(halves: tuple[str, str]) -> None:
    told = re.search(r"^Formats for files: (.*)", halves[0], re.MULTILINE)
    planned = re.search(r"^\*\*Formats\.\*\* (.*)", halves[1], re.MULTILINE)
    assert told is not None
    assert planned is not None
    built, designed = (set(re.findall(r"`([\w-]+)[^`]*` \(", one[1])) for one in (told, planned))
    assert built == FORMATS.keys()
    assert designed == {"ga4-export", "csv"}
