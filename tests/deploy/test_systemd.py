"""The units and their settings, as systemd reads them and as the command line ends."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from services.cli.main import WRONG
from services.common.fatal import FATAL_STATUS
from tests.deploy.files import DEPLOY, environment

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PARTS = [path for path in UNITS if path.stem != "waymark"]
ANALYZE = shutil.which("systemd-analyze") or ""


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.mark.skipif(not ANALYZE, reason="systemd is not installed on this machine")
def test_systemd_knows_every_line_of_the_units(tmp_path: Path) -> None:
    copies: list[Path] = []
    for unit in UNITS:
        copy = tmp_path / unit.name.replace("@", "@8082")
        copy.write_text(unit.read_text().replace("/opt/waymark/bin/waymark", "/bin/true"))
        copies.append(copy)
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", *copies], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "waymark" in line]
    assert not said


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_that_dies_fast_and_often_is_started_again(unit: Path) -> None:
    before_service = unit.read_text().partition("[Service]")[0]
    assert "\nStartLimitIntervalSec=0\n" in before_service
    assert values(unit, "Restart")[0] in {"always", "on-failure"}
    prevented = {
        int(status) for text in values(unit, "RestartPreventExitStatus") for status in text.split()
    }
    assert FATAL_STATUS not in prevented
    assert prevented == ({WRONG} if unit in PARTS else set())


def test_the_name_that_the_proxy_serves_is_the_one_waymark_is_told() -> None:
    given = environment(DEPLOY / "systemd/env.example")
    site = re.search(r"^(\S+) \{$", (DEPLOY / "proxy/Caddyfile").read_text(), re.MULTILINE)
    assert site
    assert given["WAYMARK_HOSTS"] == site[1]
    alone = values(DEPLOY / "systemd/waymark.service", "Environment")
    for name in ("WAYMARK_HOSTS", "WAYMARK_TRUSTED_PROXIES", "WAYMARK_OPEN_READS"):
        assert f"{name}={given[name]}" in alone
