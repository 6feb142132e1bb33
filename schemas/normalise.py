"""Normalisation: from the bytes a storefront sent to the one canonical event, or a refusal.

Pure: what depends on the request, the clock or chance is in the ``Context``. The work is a list of
named steps (``schemas.steps``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.context import Context, Salts, Site, Tally, site
from schemas.event import Event, address_of
from schemas.outgoing import Outgoing
from schemas.reading import UNREADABLE, decode, is_whole, read_otherwise
from schemas.refusal import Code, Refusal, Warned
from schemas.splice import splice
from schemas.steps import STEPS, Plan, plan_for

if TYPE_CHECKING:
    from schemas.wire import Draft

__all__ = [
    "STEPS",
    "Code",
    "Context",
    "Prepared",
    "Refusal",
    "Salts",
    "Site",
    "Tally",
    "Warned",
    "normalise",
    "prepare",
    "site",
]

_ENCODE = msgspec.json.Encoder().encode
_EVENT = msgspec.json.Decoder(Event)

Prepared = Outgoing
"""A canonical event ready for the log: its JSON line without newline, and its address."""


def normalise(item: bytes, ctx: Context) -> Event | Refusal:
    """Return the canonical event of one item, or why it is refused; never raises for an item.

    Warnings about accepted events are appended to ``ctx.tally.warnings``.
    """
    ready = prepare(item, ctx)
    return ready if isinstance(ready, Refusal) else _EVENT.decode(ready.line)


def prepare(item: bytes, ctx: Context) -> Prepared | Refusal:
    """Do as ``normalise``, straight to the log's line: what ingest does for every event."""
    try:
        draft = decode(item)
    except UNREADABLE:
        return _otherwise(item, ctx)
    fields = tuple(draft)
    plan = ctx.plans.get(fields) or plan_for(fields, ctx.site, ctx.key)
    if not is_whole(item, draft, plan.form):
        return _otherwise(item, ctx)
    line = splice(item, draft, plan.texts, ctx) if plan.spliced else None
    if line is None:
        return _by_steps(plan, draft, ctx)
    return Prepared(ctx.site.name, draft["visitor_id"], line)


def _otherwise(item: bytes, ctx: Context) -> Prepared | Refusal:
    draft = read_otherwise(item)
    if isinstance(draft, Refusal):
        return draft
    return _by_steps(plan_for(tuple(draft), ctx.site, ctx.key), draft, ctx)


def _by_steps(plan: Plan, draft: Draft, ctx: Context) -> Prepared | Refusal:
    for run in plan.runs:
        refused = run(draft, ctx)
        if refused is not None:
            return refused
    address = draft["visitor_id"] if "visitor_id" in draft else _address(draft)
    return Prepared(ctx.site.name, address, _ENCODE(draft))


def _address(draft: Draft) -> str:
    return address_of(msgspec.convert(draft, Event))
