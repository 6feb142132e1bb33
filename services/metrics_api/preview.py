"""``dry_run``: what events would do to the live state, folded onto copies and thrown away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.event import Event, address_of
from services.metrics_api.shapes import Cart, shape
from services.sessionizer.core.admission import state_key
from services.sessionizer.core.policy import Rules, SourceRules
from services.sessionizer.core.preview import preview
from services.sessionizer.core.stages import stage_name, stage_of

INTERNAL = frozenset({"version", "deleted"})

States = Callable[[str, set[str]], Awaitable[Mapping[str, bytes | None]]]
"""Looks up the encoded live states of a source's addresses; raises ``MovingError``."""


class LivePreview:
    """Previews on live states, wherever they are. Only looking them up takes the fold's time."""

    def __init__(self, states: States, rules: Rules) -> None:
        """Preview on the states that this look-up finds, under these rules."""
        self._states = states
        self._rules = rules

    async def __call__(self, source: str, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Return one object an event, in order: ``stage``, ``session``, ``cart``, ``signals``.

        ``session`` and ``cart`` hold ``before`` and ``after``; ``late`` and ``duplicate`` say why
        it would not be folded. Raises ``MovingError`` where the fold does not answer.
        """
        rules = self._rules(source)
        found = await self._states(source, {address_of(event) for event in events})
        states = _Copies(
            {state_key(source, one): data for one, data in found.items() if data is not None}
        )
        made = await asyncio.to_thread(preview, events, rules, states)
        return [_shape(one, event, rules) for one, event in zip(made, events, strict=True)]


class _Copies(dict[bytes, bytes]):
    """The states that some events touch, as a ``StateReader``."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:  # type: ignore[override]  # the port's form
        yield from super().items()


def _shape(one: dict[str, Any], event: Event, rules: SourceRules) -> dict[str, Any]:
    before, after = one["before"] or {}, one["after"] or {}
    return {
        "stage": stage_name(stage_of(event, rules.policy)) or None,
        "session": {"before": _session(before), "after": _session(after)},
        "cart": {"before": _cart(before), "after": _cart(after)},
        "late": one["late"],
        "duplicate": one["duplicate"],
        "signals": one["signals"],
    }


def _session(live: dict[str, Any]) -> dict[str, Any] | None:
    """Return the open session; orders and revenue are joined from storage and no part of it."""
    row = live.get("open_session")
    return row and {name: value for name, value in row.items() if name not in INTERNAL}


def _cart(live: dict[str, Any]) -> Any:
    """Return the cart as the reading side shows it, money in major units."""
    row = live.get("cart")
    return row and msgspec.to_builtins(shape(row, Cart))
