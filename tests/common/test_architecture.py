"""Who may import whom: the table of docs/architecture.md, and what keeps a core pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = "services/sessionizer/core"
POLICY = "services.sessionizer.core.policy"
PORTS = ("services.common.ports", "services.common.errors")
ALLOWED: dict[str, tuple[str, ...]] = {
    "schemas": (),
    CORE: ("schemas", *PORTS),
    "services/sessionizer": ("schemas", "services.common"),
    "services/common": ("schemas", POLICY),
    "services/ingest": ("schemas", "services.common", "services.sessionizer"),
    "services/rollups": ("schemas", "services.common"),
    "services/metrics_api": (
        "schemas",
        "services.common",
        "services.loader.pace",
        "services.rollups",
        "services.sessionizer",
    ),
    "services/loader": ("schemas", "services.common", "services.rollups"),
    "services/formats": ("schemas", "services.common"),
    "services/history": (
        "schemas",
        "services.common",
        "services.formats",
        "services.loader",
        "services.sessionizer",
    ),
    "services/demo": ("services.common",),
    "tests/oracle": ("schemas", POLICY),
}
IMPURE = (
    *("asyncio", "multiprocessing", "select", "subprocess", "threading"),
    *("io", "logging", "os", "pathlib", "shutil", "sqlite3", "sys", "tempfile"),
    *("http", "socket", "ssl", "urllib.request"),
    *("random", "secrets", "time", "uuid"),
)
BESIDE = {
    "services/ingest/run.py": "composition root: a dry run shows carts as the reading side does",
    "services/loader/run.py": "composition root: the nightly rebuild is one of its chores",
    "services/metrics_api/run.py": "composition root: erasure reaches the workers' states too",
    "schemas/generate.py": "writes schemas/json, run by make docs",
    "tests/oracle/feed.py": "runs the core beside the oracle",
    "tests/oracle/shop.py": "runs the core beside the oracle",
}
"""Files that lie in a folder but are no part of what it promises, and why."""


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names of modules that a file imports, wherever in it that stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no Python files"
    return [path for path in found if str(path.relative_to(ROOT)) not in BESIDE]


@pytest.mark.parametrize("folder", ALLOWED)
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    mine = (folder.replace("/", "."), *ALLOWED[folder])
    strays = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in files(folder)
        for module in imports(path)
        if module.count(".") and module.split(".")[0] in {"schemas", "services"}
        if not any(is_in(module, name) or is_in(name, module) for name in mine)
    }
    assert strays == set()


@pytest.mark.parametrize("folder", ["schemas", CORE])
def test_a_core_imports_no_clock_no_chance_and_no_io(folder: str) -> None:
    strays = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in files(folder)
        for module in imports(path)
        if any(is_in(module, name) for name in IMPURE)
    }
    assert strays == set()
