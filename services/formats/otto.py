"""OTTO recommender data set, JSONL: one visitor's whole history a line, without prices.

``session`` is the visitor (it spans weeks); clicks are product views, carts are adds, and each
order event is an order of one product.
"""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.refusal import shown
from services.formats.items import BadLine, Item, Line, Read

TYPES = {"clicks": "product_view", "carts": "cart_add", "orders": "purchase"}


class Action(msgspec.Struct, frozen=True):
    """One event: article, epoch milliseconds, kind."""

    aid: int
    ts: int
    type: str


class History(msgspec.Struct, frozen=True):
    """One line."""

    session: int
    events: list[Action]


_DECODER = msgspec.json.Decoder(History)


def read(lines: Iterable[Line]) -> Read:
    """Yield an item an event, in the line's order."""
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            history = _DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number, "", f"not an OTTO history: {error}", raw)
            continue
        yield from _items(number, history, raw)


def _items(number: int, history: History, raw: bytes) -> Iterator[Item | BadLine]:
    for action in history.events:
        kind = TYPES.get(action.type)
        if kind is None:
            message = f"type = {shown(action.type)} is none of {', '.join(TYPES)}"
            yield BadLine(number, "type", message, raw)
            continue
        yield Item(
            number,
            {
                "type": kind,
                "visitor_id": str(history.session),
                "ts_ms": action.ts,
                "products": [{"product_id": str(action.aid)}],
            },
        )
