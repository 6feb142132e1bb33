"""The Kubernetes manifests against the schemas of its API, and what they promise."""

from operator import itemgetter
from typing import Any

import kubernetes_validate
import pytest

from services.common import settings
from services.common.kafka import client_options
from services.common.settings import SECRET, Settings
from tests.deploy.files import DEPLOY, PORTS, load, manifests, texts, workloads

VERSIONS = ("1.33", kubernetes_validate.latest_version())
MANIFESTS = manifests()
WORKLOADS = list(workloads())
COMMAND = load(DEPLOY / "kubernetes/commands/pod.yaml")
"""Where commands run, made by hand."""
SETTINGS = next(one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap")
POLICIES = [one["spec"] for one in MANIFESTS if one["kind"] == "NetworkPolicy"]


def name_of(one: Any) -> str:
    return f"{one['kind']}/{one['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", [*MANIFESTS, COMMAND], ids=name_of)
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
        for name in ("WAYMARK_WRITE_KEYS", "WAYMARK_READ_TOKENS", "WAYMARK_KAFKA_PASSWORD"):
            assert by_name[name]["valueFrom"]["secretKeyRef"]["name"] == "waymark"
    assert not SETTINGS.keys() & {f"WAYMARK_{name.upper()}" for name in SECRET}


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


def settings_of(container: dict[str, Any]) -> Settings:
    """Return what a container's process reads, with something for each secret that must be."""
    environ = dict(SETTINGS)
    for one in container["env"]:
        if "value" in one:
            environ[one["name"]] = one["value"]
        elif not one["valueFrom"].get("secretKeyRef", {"optional": True}).get("optional"):
            environ[one["name"]] = "shop=something"
    return settings.load(environ)


@pytest.mark.parametrize(
    "container",
    [one for _, one in WORKLOADS] + COMMAND["spec"]["containers"],
    ids=itemgetter("name"),
)
def test_a_part_reads_its_settings_and_trusts_nobody_until_told(container: dict[str, Any]) -> None:
    read = settings_of(container)
    assert read.trusted_proxies == ()
    assert client_options(read)["security_protocol"] == "PLAINTEXT"
    assert {"configMapRef": {"name": "waymark"}} in container["envFrom"]


@pytest.mark.parametrize(
    "pod", [one["spec"]["template"]["spec"] for one, _ in WORKLOADS] + [COMMAND["spec"]]
)
def test_kafka_may_have_a_password_and_authorities_of_its_own(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    password = next(one for one in container["env"] if one["name"] == "WAYMARK_KAFKA_PASSWORD")
    assert password["valueFrom"]["secretKeyRef"] == {
        "name": "waymark",
        "key": "kafka-password",
        "optional": True,
    }
    (place,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "kafka"]
    (volume,) = [one["secret"] for one in pod["volumes"] if one["name"] == "kafka"]
    assert volume["optional"] is True
    (_, text) = next(one for one in texts() if one[0].endswith("10-settings.yaml"))
    assert f"# WAYMARK_KAFKA_CA: {place}/ca.crt\n" in text
    assert f"create secret generic {volume['secretName']} --from-file=ca.crt\n" in text


def test_commands_run_as_the_owner_confined_like_the_step_that_makes_tables() -> None:
    pod = COMMAND["spec"]
    (command,) = pod["containers"]
    (workload,) = [one for one, _ in WORKLOADS if one["metadata"]["name"] == "loader"]
    parts = workload["spec"]["template"]["spec"]
    (first,) = parts["initContainers"]
    for key in ("image", "securityContext", "volumeMounts", "envFrom"):
        assert command[key] == first[key]
    for key in ("securityContext", "serviceAccountName", "automountServiceAccountToken"):
        assert pod[key] == parts[key]
    assert first["env"][0] in command["env"]
    assert command["resources"]["limits"]["memory"]
    assert COMMAND["metadata"]["namespace"] == workload["metadata"]["namespace"]


def chosen(policy: dict[str, Any], component: str) -> bool:
    """Tell whether a policy is about the pods of a component of ours."""
    selector = policy["podSelector"]
    labels = {"app.kubernetes.io/name": "waymark", "app.kubernetes.io/component": component}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", ())
    )


def reached(component: str) -> set[int]:
    """Return the ports a component may reach on hosts of any name, name servers' aside."""
    rules = [
        rule
        for one in POLICIES
        if chosen(one, component)
        for rule in one.get("egress", ())
        if "to" not in rule
    ]
    return {port["port"] for rule in rules for port in rule["ports"]} - {53}


def test_storage_and_log_are_reached_by_those_who_are_known_there_alone() -> None:
    log = {int(SETTINGS["WAYMARK_KAFKA"].rpartition(":")[2])}
    storage = {8123, 8443}
    assert reached("anything") >= log
    for component in ("ingest", "sessionizer"):
        assert reached(component) & (log | storage) == log
    for component in ("loader", "metrics-api", "command"):
        assert reached(component) >= log | storage
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}.items() <= POLICIES[0].items()
    assert "ingress" not in POLICIES[0], "whoever is not named is reached by nobody"


def test_only_ingest_and_the_metrics_api_are_reached_from_anywhere() -> None:
    anywhere = {
        part
        for part in PORTS
        for one in POLICIES
        if chosen(one, part)
        for rule in one.get("ingress", ())
        if "from" not in rule
    }
    assert anywhere == {"ingest", "metrics-api"}


def test_events_alone_come_from_outside() -> None:
    (ingress,) = [one["spec"] for one in MANIFESTS if one["kind"] == "Ingress"]
    (rule,) = ingress["rules"]
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/v1/events"
    assert path["backend"]["service"] == {"name": "ingest", "port": {"name": "http"}}
    assert [rule["host"]] == ingress["tls"][0]["hosts"]
