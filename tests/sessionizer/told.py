"""What the workers told, read back from the topics, beside what the batch fold makes of the log."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from schemas.event import Event
from schemas.rows import CartRow, FlagRow, OrderRow, SessionRow, SignalRow
from services.common.policy_file import parse_policy
from services.common.settings import Settings
from services.sessionizer.core.batch import Rows, fold_history
from services.sessionizer.core.policy import Policy, SourceRules
from tests.oracle.compare import differences
from tests.oracle.compare import told as by_key
from tests.sessionizer.workers import POLICY
from tests.support.kafka import read_all

RULES = SourceRules(policy=parse_policy(POLICY, "the tests' policy", Policy()))
ROWS: dict[Any, Any] = {
    "sessions": SessionRow,
    "carts": CartRow,
    "orders": OrderRow,
    "signals": SignalRow,
    "flags": FlagRow,
}


async def told(settings: Settings) -> Rows:
    """Return every row on the output topics, in order."""
    found: dict[str, list[Any]] = {}
    for name, kind in ROWS.items():
        records = await read_all(settings, name)
        found[name] = [msgspec.json.decode(one.value, type=kind) for one in records]
    return Rows(**found)


def twice(rows: Rows) -> dict[Any, int]:
    """Return the statements that were made more than once, word for word but for the version."""
    every = [*rows.sessions, *rows.carts, *rows.orders, *rows.signals]
    said = Counter(msgspec.json.encode(msgspec.structs.replace(row, version=0)) for row in every)
    return {row: count for row, count in said.items() if count > 1}


def signal_ids(rows: Rows) -> Counter[str]:
    """Return how often each signal was told."""
    return Counter(row.signal_id for row in rows.signals)


async def exact(
    settings: Settings, sent: Iterable[Event], seconds: float = 90.0, rules: SourceRules = RULES
) -> Rows:
    """Wait until the rows told are those of the batch fold, and return them.

    The fold is asked for a time by which every session has closed and every cart is decided.
    """
    events = list(sent)
    as_of = max(event.ts_ms for event in events) + 60_000
    truth = by_key(fold_history(events, lambda _: rules, as_of, 1))
    until = time.monotonic() + seconds
    while True:
        rows = await told(settings)
        said = differences(truth, by_key(rows))
        if not said:
            return rows
        if time.monotonic() > until:
            raise AssertionError("\n".join([f"{len(said)} differences", *said[:20]]))
        await asyncio.sleep(1)


async def eventually(what: Callable[[], Awaitable[Any]], name: str, seconds: float = 60.0) -> Any:
    until = time.monotonic() + seconds
    while not (found := await what()):
        assert time.monotonic() < until, f"not {name} after {seconds} s: {found!r}"
        await asyncio.sleep(0.2)
    return found
