"""The Kubernetes manifests against the schemas of its API, and what they promise."""

from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.files import DEPLOY, PORTS, load, manifests, texts, workloads

VERSIONS = ("1.33", kubernetes_validate.latest_version())
MANIFESTS = manifests()
WORKLOADS = list(workloads())


def name_of(one: Any) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_a_manifest_is_what_the_api_takes(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_every_file_is_listed() -> None:
    folder = DEPLOY / "kubernetes"
    there = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(load(folder / "kustomization.yaml")["resources"]) == there


def test_every_part_has_a_workload_of_the_right_kind() -> None:
    kinds = {one["metadata"]["name"]: one["kind"] for one, _ in WORKLOADS}
    assert kinds == dict.fromkeys(PORTS, "Deployment") | {"sessionizer": "StatefulSet"}


@pytest.mark.parametrize(("workload", "container"), WORKLOADS, ids=lambda one: one.get("kind"))
def test_a_workload_is_probed_limited_and_confined(
    workload: dict[str, Any], container: dict[str, Any]
) -> None:
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"]["memory"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize(("workload", "container"), WORKLOADS, ids=lambda one: one.get("kind"))
def test_service_budget_and_workload_name_the_same_pods(
    workload: dict[str, Any], container: dict[str, Any]
) -> None:
    name = workload["metadata"]["name"]
    found = {one["kind"]: one["spec"] for one in MANIFESTS if one["metadata"]["name"] == name}
    labels = workload["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["selector"] == labels
    assert found["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
    assert workload["spec"]["selector"]["matchLabels"] == labels
    (port,) = container["ports"]
    assert port["containerPort"] == found["Service"]["ports"][0]["port"] == PORTS[name]
    assert {"name": "WAYMARK_PORT", "value": str(PORTS[name])} in container["env"]


def test_no_secret_is_written_out() -> None:
    assert "Secret" not in {one["kind"] for one in MANIFESTS}
    for _, container in WORKLOADS:
        by_name = {one["name"]: one for one in container["env"]}
        for name in ("WAYMARK_WRITE_KEYS", "WAYMARK_READ_TOKENS"):
            assert by_name[name]["valueFrom"]["secretKeyRef"]["name"] == "waymark"


def test_a_part_is_known_to_storage_as_the_least_it_needs() -> None:
    known = {
        container["name"]: {
            one["name"]: one["valueFrom"]["secretKeyRef"]["key"]
            for one in container["env"]
            if "CLICKHOUSE" in one["name"]
        }
        for workload, _ in WORKLOADS
        for kind in ("containers", "initContainers")
        for container in workload["spec"]["template"]["spec"].get(kind, ())
    }
    eraser = {"WAYMARK_CLICKHOUSE_ERASER": "clickhouse-eraser"}
    assert known == {
        "ingest": {},
        "sessionizer": {},
        "migrate": {"WAYMARK_CLICKHOUSE": "clickhouse-owner"},
        "loader": {"WAYMARK_CLICKHOUSE": "clickhouse-loader"},
        "metrics-api": {"WAYMARK_CLICKHOUSE": "clickhouse-reader", **eraser},
    }
    (settings,) = [one for one in texts() if one[0].endswith("10-settings.yaml")]
    for key in {key for some in known.values() for key in some.values()}:
        assert f"--from-literal={key}=" in settings[1]


def test_tables_are_made_in_the_image_and_confinement_of_the_loader() -> None:
    ((workload, loader),) = [one for one in WORKLOADS if one[1]["name"] == "loader"]
    (first,) = workload["spec"]["template"]["spec"]["initContainers"]
    assert first["args"] == ["migrate"]
    for key in ("image", "securityContext", "volumeMounts", "envFrom"):
        assert first[key] == loader[key]


def test_a_worker_is_reached_by_its_own_name() -> None:
    ((workload, container),) = [pair for pair in WORKLOADS if pair[0]["kind"] == "StatefulSet"]
    by_name = {one["name"]: one for one in container["env"]}
    service = workload["spec"]["serviceName"]
    advertised = by_name["WAYMARK_ADVERTISE"]["value"]
    assert advertised == f"http://$(POD).{service}.waymark:{PORTS['sessionizer']}"
    (headless,) = [one for one in MANIFESTS if name_of(one) == f"Service/{service}"]
    assert headless["spec"]["clusterIP"] == "None"
