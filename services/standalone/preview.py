"""``dry_run``: what events would do to the live state, folded onto a copy and thrown away."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from schemas.event import Event
from services.common.ports import StateReader
from services.sessionizer.core.live import preview
from services.sessionizer.core.policy import SourceRules
from services.sessionizer.core.stages import stage_name, stage_of


class EnginePreview:
    """Previews on the stored states: what still waits for its grace is not in them."""

    def __init__(self, states: StateReader, rules: Callable[[str], SourceRules]) -> None:
        """Preview on these states under these rules."""
        self._states = states
        self._rules = rules

    async def __call__(self, source: str, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Return one object an event, in order: ``stage``, ``session``, ``cart``, ``signals``."""
        rules = self._rules(source)
        found = await asyncio.to_thread(preview, events, rules, self._states)
        return [_shape(one, event, rules) for one, event in zip(found, events, strict=True)]


def _shape(one: dict[str, Any], event: Event, rules: SourceRules) -> dict[str, Any]:
    before, after = one["before"] or {}, one["after"] or {}
    return {
        "stage": stage_name(stage_of(event, rules.policy)) or None,
        "session": {"before": before.get("open_session"), "after": after.get("open_session")},
        "cart": {"before": before.get("cart"), "after": after.get("cart")},
        "signals": one["signals"],
    }
