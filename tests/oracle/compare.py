"""Rows side by side: what the law says must be equal, and nothing else."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from schemas.rows import CartRow, OrderRow, SessionRow, SignalRow

FREE = ("version", "emitted_ms")
"""What stream, import and rebuild may tell differently."""

Key = tuple[str, ...]
Told = dict[Key, dict[str, Any]]


class AllRows(Protocol):
    """What the oracle and the core both give."""

    @property
    def sessions(self) -> list[SessionRow]: ...
    @property
    def carts(self) -> list[CartRow]: ...
    @property
    def orders(self) -> list[OrderRow]: ...
    @property
    def signals(self) -> list[SignalRow]: ...


def key_of(row: SessionRow | CartRow | OrderRow | SignalRow) -> Key:
    """Return what makes a row the newer statement of another."""
    if isinstance(row, SessionRow):
        return ("session", row.session_id)
    if isinstance(row, CartRow):
        return ("cart", row.cart_id)
    if isinstance(row, OrderRow):
        return ("order", row.source, row.order_id, row.visitor_id, row.event_id)
    return ("signal", row.kind, row.signal_id)


def told(rows: AllRows) -> Told:
    """Return the newest statement of every row by its key, without what is free."""
    every: Iterable[SessionRow | CartRow | OrderRow | SignalRow]
    every = [*rows.sessions, *rows.carts, *rows.orders, *rows.signals]
    newest: dict[Key, SessionRow | CartRow | OrderRow | SignalRow] = {}
    for row in every:
        known = newest.get(key_of(row))
        if known is None or known.version <= row.version:
            newest[key_of(row)] = row
    return {
        key: {k: v for k, v in msgspec.to_builtins(row).items() if k not in FREE}
        for key, row in newest.items()
    }


def differences(ours: Told, theirs: Told, leave_out: Iterable[str] = ()) -> list[str]:
    """Say in words what differs between the oracle (ours) and the core (theirs), by visitor."""
    left_out, said = set(leave_out), []
    for key in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(key), theirs.get(key)
        visitor = (mine or other or {})["visitor_id"]
        if mine == other or visitor in left_out:
            continue
        name = f"{visitor} {key}"
        if mine is None or other is None:
            said.append(f"{name}: only the {'core' if mine is None else 'oracle'}: {mine or other}")
            continue
        said += [
            f"{name} {field}: oracle {mine[field]!r}, core {other.get(field)!r}"
            for field in mine
            if mine[field] != other.get(field)
        ]
    return said


def agree(oracle: AllRows, core: AllRows, leave_out: Iterable[str] = ()) -> None:
    """Fail with the differences in words, if there are any."""
    said = differences(told(oracle), told(core), leave_out)
    if said:
        raise AssertionError("\n" + "\n".join(said))
