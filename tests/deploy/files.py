"""What lies in the project's deployment files, read once for the checks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = ROOT / "docker-compose.yml"
PORTS = {"ingest": 8080, "metrics-api": 8081, "sessionizer": 8082, "loader": 8083}
"""The parts and their default ports, as docs/api.md fixes them."""


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def environment(path: Path) -> dict[str, str]:
    """Return the settings of a file of NAME=value lines; what is commented out is not one."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(COMPOSE)["services"]
    return found


def part_of(service: dict[str, Any]) -> str:
    """Return which part a compose service runs, empty where it is none of ours."""
    return str(service["command"][0]) if service["image"].startswith("waymark:") else ""


def manifests() -> list[dict[str, Any]]:
    folder = DEPLOY / "kubernetes"
    listed = load(folder / "kustomization.yaml")["resources"]
    return [one for name in listed for one in yaml.safe_load_all((folder / name).read_text())]


def workloads() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each Deployment and StatefulSet with its one container."""
    for one in manifests():
        if one["kind"] in {"Deployment", "StatefulSet"}:
            (container,) = one["spec"]["template"]["spec"]["containers"]
            yield one, container


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file that configures a deployment."""
    chosen = [COMPOSE, ROOT / "Dockerfile"]
    folders = ("kubernetes", "systemd", "prometheus", "alertmanager", "grafana", "proxy", "image")
    for folder in folders:
        chosen += [path for path in sorted((DEPLOY / folder).rglob("*")) if path.is_file()]
    for path in chosen:
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
