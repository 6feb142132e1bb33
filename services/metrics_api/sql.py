"""Named SQL text: files of ``queries/`` with ``$slots`` for other named texts and closed names.

What a caller gives is never put into text: values travel as bound parameters (``{name:Type}``).
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from string import Template

from services.metrics_api.facts import Fact

DAY = 86_400_000
Range = tuple[int, int]


@cache
def _template(name: str) -> Template:
    folder = resources.files("services.metrics_api") / "queries"
    return Template((folder / f"{name}.sql").read_text("utf-8"))


def text(name: str, **slots: str) -> str:
    """Return the text of ``queries/NAME.sql`` with its slots filled."""
    return _template(name).substitute(slots)


def within(
    column: str, prefix: str, ranges: Sequence[Range], before: int = 0, after: int = 0
) -> str:
    """Return the condition that a column lies in one of the ranges, each widened.

    The ranges' own edges are the bound parameters of ``bound(prefix, ranges)``.
    """
    parts = (
        f"({column} >= {{{prefix}{i}a:Int64}} - {before}"
        f" AND {column} < {{{prefix}{i}b:Int64}} + {after})"
        for i in range(len(ranges))
    )
    return " OR ".join(parts) or "0"


def bound(prefix: str, ranges: Sequence[Range]) -> dict[str, int]:
    """Return the bound parameters of ``within``."""
    named = {f"{prefix}{i}a": start for i, (start, _) in enumerate(ranges)}
    return named | {f"{prefix}{i}b": end for i, (_, end) in enumerate(ranges)}


def facts_sql(fact: Fact, ranges: Sequence[Range]) -> str:
    """Return the rows of a fact that may lie in the ranges (parameters: ``bound("r", ranges)``).

    A session's orders are looked for from a day before to three days after it started: it lasts a
    day at most, and clocks of webhooks differ.
    """
    anchored = within(fact.anchor, "r", ranges, before=fact.back_ms)
    ordered = "1"
    if fact.table == "sessions":
        ordered = within("at_ms", "r", ranges, before=DAY, after=3 * DAY)
    elif not fact.whole:
        ordered = within("at_ms", "r", ranges)
    orders = text("orders", ordered=ordered)
    return text(
        fact.name,
        anchored=anchored,
        ordered=ordered,
        orders=orders,
        ordering_sessions=text("ordering_sessions", orders=orders),
        carts=text("carts", anchored=anchored),
    )
