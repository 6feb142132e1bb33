"""Makes ``definitions.md``: every rule in the words of the code that decides it, every metric."""

from docs.rules import rules_text
from services.metrics_api.registry import METRICS

HEAD = """# Definitions

Generated from the code that computes them (`make docs`). DESIGN is `docs/design.md`; the marks
in brackets, such as (C4), and ADR 2 are `docs/adr/0002-what-the-rules-leave-open.md`. Every
threshold is a line of the policy (`waymark policy show`), named in the text by its default.

## Rules
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, rules_text().replace("``", "`"), "## Metrics\n", _metrics()])


def _metrics() -> str:
    lines = ["| metric | unit | value | dimensions |", "|---|---|---|---|"]
    for metric in METRICS.values():
        dimensions = ", ".join(metric.dimensions) or "—"
        lines.append(f"| `{metric.name}` | {metric.unit} | {metric.definition} | {dimensions} |")
    return "\n".join(lines) + "\n"
