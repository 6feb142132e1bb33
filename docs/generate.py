"""Makes the pages that are drawn from code or other pages; ``--check`` fails where one drifted."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from docs.definitions import page as definitions_page
from services.common.metrics import as_markdown as metrics_page
from services.common.settings import PREFIX, Settings
from services.sessionizer.core.policy import Policy
from services.sessionizer.core.stages import diagram

HERE = Path(__file__).resolve().parent


def settings_page() -> str:
    """Return every setting with its default and meaning."""
    lines = [
        "# Settings",
        "",
        "Generated from `services/common/settings.py`. Environment over `waymark.toml` (the name",
        "in small letters without the prefix) over the default; a command's own option wins.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "—" if default in (None, "", ()) else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def stages_page() -> str:
    """Return the stage table as a diagram and in words."""
    return (
        "# Stages\n\nGenerated from `services/sessionizer/core/policy.py`.\n\n"
        f"```mermaid\n{diagram(Policy())}\n```\n"
    )


def decisions_page() -> str:
    """Return one line a decision: the heading of its page, which begins with its number."""
    lines = [
        "# Decisions",
        "",
        "What was decided and why, one page each. Numbers that are not here were those of drafts",
        "that were withdrawn; they are not used again.",
        "",
    ]
    for path in sorted((HERE / "adr").glob("[0-9]*.md")):
        heading = path.read_text(encoding="utf-8").partition("\n")[0]
        number, _, decision = heading.removeprefix("# ").partition(". ")
        lines.append(f"- {int(number)}: [{decision}]({path.name})")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "definitions.md": definitions_page,
    "stages.md": stages_page,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "adr/README.md": decisions_page,
}


def main() -> int:
    """Write the pages, or with ``--check`` name those that differ and return 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    drifted = [name for name, page in PAGES.items() if not _settle(HERE / name, page(), check)]
    for name in drifted:
        print(f"docs/{name} is not what the code says: run `make docs`", file=sys.stderr)
    return 1 if drifted else 0


def _settle(path: Path, wanted: str, check: bool) -> bool:
    if path.exists() and path.read_text(encoding="utf-8") == wanted:
        return True
    if check:
        return False
    path.write_text(wanted, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
