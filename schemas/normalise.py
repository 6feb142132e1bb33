"""Normalisation: from the bytes a storefront sent to the one canonical event, or a refusal.

Pure: what depends on the request, the clock or chance is in the ``Context``. The work is a list of
named steps (``schemas.steps``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from schemas.context import Context, Salts, Site, Tally, site
from schemas.event import Event, address_of
from schemas.reading import UNREADABLE, decode, is_whole, read_otherwise
from schemas.refusal import Code, Refusal, Warned
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


class Prepared(Struct, frozen=True, gc=False):
    """A canonical event ready for the log: its JSON line without newline, and its address."""

    line: bytes
    address: str
    event_id: str


def normalise(item: bytes, ctx: Context) -> Event | Refusal:
    """Return the canonical event of one item, or why it is refused; never raises for an item.

    Warnings about accepted events are appended to ``ctx.tally.warnings``.
    """
    draft = canonical(item, ctx)
    return draft if isinstance(draft, Refusal) else msgspec.convert(draft, Event)


def prepare(item: bytes, ctx: Context) -> Prepared | Refusal:
    """Do as ``normalise``, straight to the log's line: what ingest does for every event."""
    draft = canonical(item, ctx)
    if isinstance(draft, Refusal):
        return draft
    address = draft["visitor_id"] if "visitor_id" in draft else _address(draft)
    return Prepared(_ENCODE(draft), address, draft["event_id"])


def canonical(item: bytes, ctx: Context) -> Draft | Refusal:
    """Return the canonical event as a plain dict of the fields it has."""
    try:
        draft = decode(item)
    except UNREADABLE:
        return _otherwise(item, ctx)
    fields = tuple(draft)
    plan = ctx.plans.get(fields) or plan_for(fields, ctx.site, ctx.key)
    if is_whole(item, draft, plan.form):
        return _run(plan, draft, ctx)
    return _otherwise(item, ctx)


def _otherwise(item: bytes, ctx: Context) -> Draft | Refusal:
    draft = read_otherwise(item)
    if isinstance(draft, Refusal):
        return draft
    return _run(plan_for(tuple(draft), ctx.site, ctx.key), draft, ctx)


def _run(plan: Plan, draft: Draft, ctx: Context) -> Draft | Refusal:
    for run in plan.runs:
        refused = run(draft, ctx)
        if refused is not None:
            return refused
    return draft


def _address(draft: Draft) -> str:
    return address_of(msgspec.convert(draft, Event))
