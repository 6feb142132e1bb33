"""What the sender of accepted events should know, beside what normalisation warns of.

An order without a value is told every time: it is missing from the revenue, and nobody sees it go.
The rest is told by a dry run alone: a storefront may send what it likes, and what was meant
otherwise shows when it is tried out.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import msgspec

from schemas.body import split
from schemas.event import Event
from schemas.marks import TYPES
from schemas.masking import mask
from schemas.refusal import BodyRefusal, Warned, WarningCode, shown
from schemas.sent_id import id_field
from schemas.urls import take_apart
from schemas.wire import OWN_FIELDS, Wire
from services.ingest.intake import Batch
from services.sessionizer.core.orders import order_value

KNOWN = frozenset(Wire.__annotations__) | OWN_FIELDS
CLOSE = 0.75
"""How alike two types must be (difflib's ratio) for one to be meant by the other."""

NO_VALUE = (
    "the order has neither a value nor a line with a price: it counts as an order without revenue"
)
KEPT = "ids are kept as they are sent, masked nowhere: send one that names nobody"
Told = tuple[WarningCode, str]


def about_orders(batch: Batch) -> Iterator[tuple[int, Warned]]:
    """Yield a warning for each accepted order whose value nothing says."""
    for place, outgoing in zip(batch.places, batch.events, strict=True):
        if b'"purchase"' not in outgoing.line:
            continue
        event = msgspec.json.decode(outgoing.line, type=Event)
        if event.type == "purchase" and order_value(event) is None:
            yield place, Warned(event.event_id, "no_value", NO_VALUE)


def about_tried(body: bytes, batch: Batch, events: Sequence[Event]) -> Iterator[tuple[int, Warned]]:
    """Yield what else there is to say of accepted items, sent in ``body``, which is plain."""
    items = split(body)
    if isinstance(items, BodyRefusal):
        return
    for place, event in zip(batch.places, events, strict=True):
        item: dict[str, Any] = msgspec.json.decode(items[place])
        for code, message in (*_names(item), *_page(item, event), *_ids(event)):
            yield place, Warned(event.event_id, code, message)


def _names(item: Mapping[str, Any]) -> Iterator[Told]:
    if item["type"] not in TYPES:
        yield "unknown_type", _no_type(item["type"])
    for name in sorted(item.keys() - KNOWN - {id_field(item)}):
        told = f"{shown(name)} is no field of an event: kept among its properties"
        yield "unknown_field", told


def _no_type(sent: str) -> str:
    told = f"{shown(sent)} is no type that Waymark knows: taken as custom, with it as name"
    close = get_close_matches(sent.lower(), TYPES, 1, CLOSE)
    return f"{told}; did you mean {shown(close[0])}?" if close else told


def _page(item: Mapping[str, Any], event: Event) -> Iterator[Told]:
    """Tell a URL that is no page's; one with a ``path`` of its own needs to be none."""
    if not event.url or item.get("path") is not None:
        return
    if event.url.startswith("/") or (event.path and take_apart(event.url).host):
        return
    became = "taken as the path" if event.path else "kept, with no path and no page kind"
    told = f"url {shown(event.url)} is no http or https URL and no path that begins with /"
    yield "not_a_page", f"{told}: {became}"


def _ids(event: Event) -> Iterator[Told]:
    for name, value in (("visitor_id", event.visitor_id), ("user_id", event.user_id)):
        if "@" in value and mask(value) != value:
            yield "personal_id", f"{name} {shown(value)} looks like an e-mail address: {KEPT}"
