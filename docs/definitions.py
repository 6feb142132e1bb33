"""Makes ``definitions.md``: every rule in the words of the code that decides it, every metric."""

import ast
import inspect
from pathlib import Path

from services.metrics_api.registry import METRICS

CORE = Path(__file__).resolve().parent.parent / "services" / "sessionizer" / "core"

RULES: dict[str, str] = {
    "activity": "Active and passive events",
    "sessions": "Sessions, engagement, bounce",
    "pages": "Pages and the time on them",
    "stages": "Stages",
    "lifetime": "Past buyers and what is remembered",
    "carts": "Carts",
    "lines": "Cart lines and their value",
    "checkout": "Checkout",
    "deadlines": "Deadlines",
    "orders": "Orders, refunds, cancels",
    "late": "Late orders",
    "links": "Links between visitors",
    "friction": "Friction",
    "clicks": "Friction: angry clicks",
    "walks": "Friction: going to and fro",
    "causes": "Causes and stated reasons",
    "signals": "Signals",
}
"""The core's modules in the order in which a reader wants them, with a plain title."""

HEAD = """# Definitions

Generated from the code that computes them (`make docs`). DESIGN is `docs/design.md`; the marks
in brackets, such as (C4), and ADR 2 are `docs/adr/0002-what-the-rules-leave-open.md`. Every
threshold is a line of the policy (`waymark policy show`), named here by its default.
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD, "## Rules\n"]
    parts += [_module(name, title) for name, title in RULES.items()]
    parts += ["## Metrics\n", _metrics()]
    return "\n".join(parts)


def _module(name: str, title: str) -> str:
    tree = ast.parse((CORE / f"{name}.py").read_text(encoding="utf-8"))
    lines = [f"### {title}\n", f"{_plain(ast.get_docstring(tree) or '')}\n"]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        words = _plain(ast.get_docstring(node) or "")
        lines.append(f"- `{name}.{node.name}`: {_folded(words)}")
    return "\n".join(lines) + "\n"


def _metrics() -> str:
    lines = ["| metric | unit | value | dimensions |", "|---|---|---|---|"]
    for metric in METRICS.values():
        dimensions = ", ".join(metric.dimensions) or "—"
        lines.append(f"| `{metric.name}` | {metric.unit} | {metric.definition} | {dimensions} |")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return inspect.cleandoc(text).replace("``", "`")


def _folded(text: str) -> str:
    """Return a docstring as one item of a list: its paragraphs joined."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return " ".join(part for part in paragraphs if part)
