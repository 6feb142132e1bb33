"""docker-compose.yml, checked without an engine: its form, and what it promises."""

import re
from typing import Any

import jsonschema
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema

from deploy.env import SECRETS
from tests.deploy.files import COMPOSE, DEPLOY, PORTS, ROOT, load, part_of, services

SERVICES = services()
OURS = {name: one for name, one in SERVICES.items() if part_of(one)}
ONCE = {"migrate"}
"""What does its work and ends."""
LASTING = SERVICES.keys() - ONCE
STORAGE = {
    "migrate": {"WAYMARK_CLICKHOUSE": "owner"},
    "loader": {"WAYMARK_CLICKHOUSE": "loader"},
    "metrics-api": {"WAYMARK_CLICKHOUSE": "reader", "WAYMARK_CLICKHOUSE_ERASER": "eraser"},
}
"""As whom a part is known to storage; the others do not know it."""


def test_it_is_what_the_compose_specification_allows() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    jsonschema.Draft7Validator(schema).validate(load(COMPOSE))


def test_it_has_every_part_and_two_sessionizers() -> None:
    parts = sorted(part_of(OURS[name]) for name in OURS.keys() - ONCE)
    assert parts == ["ingest", "loader", "metrics-api", "sessionizer", "sessionizer"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_healthy_limited_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+", service["image"]), "an image without a release"
    assert ("healthcheck" in service) == (name in LASTING)
    assert service["restart"] == ("on-failure" if name in ONCE else "unless-stopped")
    limits = service["deploy"]["resources"]["limits"]
    assert limits["memory"]
    assert limits["cpus"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_published_is_bound_to_loopback_unless_told_otherwise(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"\$\{BIND:-127\.0\.0\.1\}:(\d+):\1", port), port


def test_neither_log_nor_storage_is_published() -> None:
    for name in ("kafka", "clickhouse"):
        assert "ports" not in SERVICES[name]
        assert SERVICES[name]["networks"] == ["inside"]
    assert load(COMPOSE)["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_the_health_of_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        done = "service_completed_successfully" if needed in ONCE else "service_healthy"
        assert how == {"condition": done}


@pytest.mark.parametrize("name", OURS)
def test_a_part_runs_confined(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == [f"{name}:/var/lib/waymark"], "a folder of its own"


@pytest.mark.parametrize("name", OURS)
def test_a_part_is_known_to_storage_as_the_least_it_needs(name: str) -> None:
    environment = OURS[name]["environment"]
    found = {key: value for key, value in environment.items() if "CLICKHOUSE" in key}
    assert found == {
        key: f"http://waymark_{user}:${{CLICKHOUSE_{user.upper()}_PASSWORD:?run: make env}}"
        "@clickhouse:8123/waymark"
        for key, user in STORAGE.get(name, {}).items()
    }


@pytest.mark.parametrize("name", OURS)
def test_a_proxy_is_believed_once_it_is_named(name: str) -> None:
    assert OURS[name]["environment"]["WAYMARK_TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"


def test_storage_has_these_users_and_their_passwords() -> None:
    text = (DEPLOY / "clickhouse/users.xml").read_text()
    users = {user for some in STORAGE.values() for user in some.values()}
    named = dict(re.findall(r'<waymark_(\w+)>\s*<password from_env="(\w+)"/>', text))
    assert named == {user: f"CLICKHOUSE_{user.upper()}_PASSWORD" for user in users}
    given = SERVICES["clickhouse"]["environment"]
    assert given == {name: f"${{{name}:?run: make env}}" for name in named.values()}


@pytest.mark.parametrize("name", OURS.keys() - ONCE)
def test_a_part_listens_where_its_check_and_the_others_look(name: str) -> None:
    service, port = OURS[name], PORTS[part_of(OURS[name])]
    assert service["environment"]["WAYMARK_PORT"] == str(port)
    assert f"127.0.0.1:{port}/readyz" in service["healthcheck"]["test"][-1]
    advertised = service["environment"].get("WAYMARK_ADVERTISE", f"http://{name}:{port}")
    assert advertised == f"http://{name}:{port}"


def test_every_volume_is_declared_and_used() -> None:
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if not volume.startswith("./")
    }
    assert named == set(load(COMPOSE)["volumes"])


def test_everything_mounted_is_there() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert mounted
    assert all((ROOT / path).exists() for path in mounted)


def test_nothing_starts_without_the_secrets_and_none_is_written_here() -> None:
    text = COMPOSE.read_text()
    asked = set(re.findall(r"\$\{(\w+):\?run: make env\}", text))
    assert asked == set(SECRETS)
    bare = set(re.findall(r"\$\{(\w+)", text)) - asked
    assert bare == {"BIND", "SOURCE", "PARTITIONS", "TRUSTED_PROXIES"}, (
        "whatever else is asked for has a default"
    )
    secret = re.compile(r"password|secret|token|key", re.IGNORECASE)
    for name, value in _environment():
        if secret.search(name):
            assert "${" in value, f"{name} is written out"


def _environment() -> list[tuple[str, str]]:
    return [
        (name, str(value)) for service in SERVICES.values() for name, value in _variables(service)
    ]


def _variables(service: dict[str, Any]) -> list[tuple[str, Any]]:
    return list(service.get("environment", {}).items())


def test_kafka_is_the_version_the_tests_run_on() -> None:
    pom = (ROOT / "deploy/kafka/pom.xml").read_text()
    version = SERVICES["kafka"]["image"].removeprefix("apache/kafka:")
    assert f"<version>{version}</version>" in pom or f">{version}<" in pom
