"""Names in deployment files that the code decides: settings, metrics, ports, alerts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from services.cli.main import build
from services.common.metrics import SPECS
from services.common.settings import Settings
from tests.deploy.files import DEPLOY, PORTS, ROOT, load, part_of, services, texts

SETTING = re.compile(r"\bWAYMARK_[A-Z_]*[A-Z]\b")
KNOWN_SETTINGS = {f"WAYMARK_{name.upper()}" for name in Settings.model_fields}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
KNOWN_SERIES = {name + end for name, spec in SPECS.items() for end in SUFFIXES[spec.kind]} | {"up"}
RULES = load(DEPLOY / "prometheus/rules.yml")["groups"]
ALERTS = [rule for group in RULES for rule in group["rules"]]
DASHBOARDS = sorted((DEPLOY / "grafana/dashboards").glob("*.json"))


@pytest.mark.parametrize(("name", "text"), list(texts()), ids=lambda value: value[:40])
def test_every_setting_named_is_one(name: str, text: str) -> None:
    assert set(SETTING.findall(text)) <= KNOWN_SETTINGS


def series(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield every series an expression reads, with the labels it is chosen by."""
    promql_parser.parse(expression)
    for name, chosen in re.findall(r"\b(up|waymark_\w+)(?:\{([^}]*)\})?", expression):
        yield name, dict(re.findall(r'(\w+)\s*=?[~=]\s*"([^"]*)"', chosen))


def check_series(expression: str) -> None:
    found = list(series(expression))
    assert found, f"{expression} reads nothing of ours"
    for name, labels in found:
        assert name in KNOWN_SERIES, f"{name} is not in the closed list"
        if name != "up":
            spec = SPECS[re.sub(r"_(bucket|sum|count)$", "", name)]  # type: ignore[index]
            assert labels.keys() <= set(spec.labels), f"{name} has only {spec.labels}"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_rule_reads_only_what_the_parts_expose(rule: dict[str, str]) -> None:
    check_series(rule["expr"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_rule_says_what_is_wrong_how_bad_and_operations_what_to_do(
    rule: dict[str, dict[str, str]],
) -> None:
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert f"### {rule['alert']}\n" in (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_reads_only_what_the_parts_expose(path: Path) -> None:
    board = json.loads(path.read_text())
    asked = [target for panel in board["panels"] for target in panel["targets"]]
    assert asked
    for target in asked:
        if "expr" in target:
            check_series(target["expr"])


def test_prometheus_looks_where_the_parts_listen() -> None:
    config = load(DEPLOY / "prometheus/prometheus.yml")
    looked = {
        target
        for job in config["scrape_configs"]
        for some in job["static_configs"]
        for target in some["targets"]
    }
    there = {
        f"{name}:{PORTS[one['command'][0]]}"
        for name, one in services().items()
        if part_of(one) in PORTS
    }
    assert looked == there


def test_alertmanager_is_where_prometheus_sends_and_silences_alerts_that_exist() -> None:
    config = load(DEPLOY / "prometheus/prometheus.yml")
    (where,) = config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert where.partition(":")[0] in services()
    routes = load(DEPLOY / "alertmanager/alertmanager.yml")
    assert routes["route"]["receiver"] in {one["name"] for one in routes["receivers"]}
    names = {rule["alert"] for rule in ALERTS}
    for rule in routes["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            pattern = re.fullmatch(r'alertname =~? "(.+)"', matcher)
            assert pattern, matcher
            assert any(re.fullmatch(pattern[1], name) for name in names), matcher


COMMANDS = re.compile(
    r"(?:docker compose run .*migrate|kubectl .* command -- waymark|/bin/waymark) ([a-z]+)(.*)"
)


def test_commands_that_the_documents_give_are_some_and_read_what_they_mount() -> None:
    operations = (ROOT / "docs/operations.md").read_text()
    section = operations.partition("\n## Commands\n")[2].partition("\n## ")[0]
    pod = (DEPLOY / "kubernetes/commands/pod.yaml").read_text()
    found = [one for text in (section, pod) for one in COMMANDS.finditer(text)]
    registered = get_command(build())
    assert isinstance(registered, TyperGroup)
    assert {one[1] for one in found} >= {"doctor", "keys", "import", "outgrow"}
    assert {one[1] for one in found} <= registered.commands.keys()
    mounted = [(one[0], *re.findall(r':(/[a-z/.]+?)(?::ro)?"', one[0])) for one in found]
    for line, *places in mounted:
        assert all(line.count(place) == 2 for place in places), line
    assert sum(len(places) for _, *places in mounted) == 2


def test_units_and_proxy_name_the_ports_of_the_parts() -> None:
    for part, port in PORTS.items():
        unit = DEPLOY / "systemd" / f"waymark-{part}{'@' if part == 'sessionizer' else ''}.service"
        text = unit.read_text()
        assert f"ExecStart=/opt/waymark/bin/waymark {part}\n" in text
        shown = "%i" if part == "sessionizer" else str(port)
        assert f"Environment=WAYMARK_PORT={shown}\n" in text
        own = f"EnvironmentFile=/etc/waymark/{part}.env\n"
        assert (own in text) == (part in {"loader", "metrics-api"}), "storage is theirs alone"
    proxied = re.findall(
        r"reverse_proxy 127\.0\.0\.1:(\d+)", (DEPLOY / "proxy/Caddyfile").read_text()
    )
    assert [int(port) for port in proxied] == [PORTS["ingest"], PORTS["metrics-api"]]
