"""The bodies of good answers: what was taken, what was not and why, and what a dry run found."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from schemas.event import Event
from schemas.money import to_text
from schemas.rows import STAGES
from services.ingest.intake import Batch
from services.sessionizer.core.policy import Policy
from services.sessionizer.core.stages import UNSTAGED, stage_of

AMOUNTS = ("value", "shipping", "tax", "discount")
MONEY = frozenset({*AMOUNTS, "abandoned_value", "price"})
"""Fields of rows that are money; those of an event's ``properties`` are the storefront's own."""


def report(batch: Batch) -> bytes:
    """Return the answer to a request whose events are in the log (docs/api.md, *Ingest*)."""
    if not batch.refusals and not batch.warnings:
        return b'{"received":%d,"accepted":%d,"errors":[]}' % (batch.received, batch.received)
    return msgspec.json.encode(_verdict(batch))


def dry_run_report(
    batch: Batch, events: Sequence[Event], previews: Sequence[Mapping[str, Any]], policy: Policy
) -> bytes:
    """Return the answer to a dry run: the verdict, and each event with what it would do."""
    told = [
        {
            "index": place,
            "event": shown(event),
            "stage": _stage(event, policy),
            **_major(preview, ""),
        }
        for place, event, preview in zip(batch.places, events, previews, strict=True)
    ]
    return msgspec.json.encode({"dry_run": True, **_verdict(batch), "events": told})


def shown(event: Event) -> dict[str, Any]:
    """Return an event as answers show it: money as decimal text of its currency."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    for name in AMOUNTS:
        if name in fields:
            fields[name] = to_text(fields[name], event.currency)
    for product in fields.get("products", ()):
        if "price" in product:
            product["price"] = to_text(product["price"], event.currency)
    return fields


def _major(value: Any, currency: str) -> Any:
    """Return a row, and all in it, with money as decimal text of the row's currency."""
    if isinstance(value, list):
        return [_major(one, currency) for one in value]
    if not isinstance(value, Mapping):
        return value
    currency = value.get("currency") or currency
    return {
        name: to_text(one, currency)
        if name in MONEY and isinstance(one, int)
        else _major(one, currency)
        for name, one in value.items()
    }


def _stage(event: Event, policy: Policy) -> str | None:
    place = stage_of(event, policy)
    return None if place == UNSTAGED else STAGES[place]


def _verdict(batch: Batch) -> dict[str, Any]:
    verdict: dict[str, Any] = {
        "received": batch.received,
        "accepted": len(batch.events),
        "errors": [
            {
                "index": index,
                "event_id": refusal.event_id,
                "code": refusal.code,
                "field": refusal.field,
                "message": refusal.message,
            }
            for index, refusal in batch.refusals
        ],
    }
    if batch.warnings:
        verdict["warnings"] = [
            {
                "index": index,
                "event_id": warned.event_id,
                "code": warned.code,
                "message": warned.message,
            }
            for index, warned in batch.warnings
        ]
    return verdict
