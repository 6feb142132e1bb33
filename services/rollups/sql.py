"""Named SQL text: files of ``queries/`` with ``$slots`` for other named texts and closed names.

What a caller gives is never put into text: values travel as bound parameters (``{name:Type}``).
"""

import re
from collections.abc import Sequence
from string import Template

from schemas.spans import DAY_MS
from services.common.named_sql import NamedSql
from services.rollups.facts import Fact

_WORD = re.compile(r"[a-z_]\w*")
Range = tuple[int, int]
BUYERS_MS = 31 * DAY_MS
"""Up to so long a question is worth looking for the buyers it is about."""

text = NamedSql("services.rollups")


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


def facts_sql(fact: Fact, ranges: Sequence[Range], used: str) -> str:
    """Return the rows of a fact that may lie in the ranges (parameters: ``bound("r", ranges)``).

    ``used`` is the text that reads them: columns that it does not mention are left out, for the
    engine spends more time on understanding a long statement than on running it.
    A session's orders are looked for from a day before to three days after it started: it lasts a
    day at most, and clocks of webhooks differ.
    """
    anchored = within(fact.anchor, "r", ranges, before=fact.back_ms)
    before, after = (DAY_MS, 3 * DAY_MS) if fact.table == "sessions" else (0, 0)
    ordered = within("at_ms", "r", ranges, before, after)
    outer = _pruned(fact.name, used)
    near = _buyers(ranges, ordered) if fact.whole else _near("kind = 'order'", ordered)
    back = _near("kind != 'order'", ordered)
    buying = text("ordering_sessions", orders=_inner("orders", "whose_session_id", picked=near))
    return Template(outer).substitute(
        anchored=anchored,
        picked=back,
        orders=_inner("orders", outer, picked=near),
        refunded=_inner("orders", f"{outer} head_currency", picked=back),
        ordering_sessions=buying,
        carts=_inner("carts", f"{outer} {used}", anchored=anchored),
    )


def _near(kinds: str, ordered: str) -> str:
    return text("orders_near", kinds=kinds, ordered=ordered)


def _buyers(ranges: Sequence[Range], ordered: str) -> str:
    """Pick all orders of whoever ordered near the ranges: of others no earlier order is asked for.

    Over a longer time they are most of the buyers, and looking for them only costs.
    """
    long = sum(end - start for start, end in ranges) > BUYERS_MS
    return "1" if long else text("orders_of_buyers", ordered=ordered)


def _inner(name: str, used: str, **slots: str) -> str:
    """Return a statement that another reads from, without the columns that one does not use."""
    return Template(_pruned(name, f"{used} order_id")).substitute(slots)


def _pruned(name: str, used: str) -> str:
    heads = {"visit": text("visit", of=""), "whose": text("visit", of="whose_")}
    return pruned(text.template(name).safe_substitute(heads), used)


def pruned(sql: str, used: str) -> str:
    """Leave out the columns of a statement's first list that nothing uses.

    The list stands between lines ``SELECT`` and ``FROM`` at the margin, a column a line.
    """
    _, _, rest = sql.partition("SELECT\n")
    columns, margin, tail = rest.partition("\nFROM")
    named = {_name(line): line.strip().removesuffix(",") for line in columns.splitlines()}
    wanted = {name for name in _words(used) if name in named} | {"t", "*"}
    while (
        missing := {word for name in wanted & named.keys() for word in _words(named[name])}
        & named.keys() - wanted
    ):
        wanted |= missing
    kept = [column for name, column in named.items() if name in wanted]
    return f"SELECT {', '.join(kept)}{margin}{tail}"


def _name(line: str) -> str:
    column = line.strip().removesuffix(",")
    return "*" if column.startswith("*") else column.rpartition(" ")[2]


def _words(sql: str) -> set[str]:
    return set(_WORD.findall(sql))
