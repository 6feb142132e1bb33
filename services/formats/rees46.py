"""REES46 "eCommerce behavior data" CSV: one event a row, nine columns named by a header.

The header says where a column stands; columns beyond the nine are left out.

``user_id`` is the visitor (the data set's shoppers are anonymous); ``user_session`` is not a
30-minute rule and stays a property. A purchase row is one order without an order id. The file names
no currency: the source's counts.
"""

import csv
from collections.abc import Callable, Iterable
from operator import itemgetter

from msgspec import Struct

from schemas.refusal import shown
from services.formats.items import BadLine, Item, Line, OtherFormatError, Read

COLUMNS = (
    "event_time",
    "event_type",
    "product_id",
    "category_id",
    "category_code",
    "brand",
    "price",
    "user_id",
    "user_session",
)
TYPES = {
    "view": "product_view",
    "cart": "cart_add",
    "remove_from_cart": "cart_remove",
    "purchase": "purchase",
}


class Header(Struct, frozen=True):
    """How many cells a row has, and those of ``COLUMNS`` among them."""

    width: int
    pick: Callable[[list[str]], tuple[str, ...]]


def read(lines: Iterable[Line]) -> Read:
    """Yield an item a row; a row of another width than the header or an unknown type is rejected.

    Raises ``OtherFormatError`` where the header lacks a column or has it twice: what stands where
    is never guessed.
    """
    header = None
    for number, raw in lines:
        if not raw:
            continue
        if header is None:
            header = _header(raw)
        else:
            yield _row(number, raw, header)


def _header(raw: bytes) -> Header:
    try:
        names = [name.strip() for name in next(csv.reader([raw.decode()]))]
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise OtherFormatError(f"the header is no CSV row of UTF-8 text: {error}") from error
    unclear = [name for name in COLUMNS if names.count(name) != 1]
    if unclear:
        raise OtherFormatError(
            "rees46 has a header (so has each piece of a file) that names each column once; "
            "missing or twice: "
            f"{', '.join(unclear)}; found: {shown(', '.join(names))}"
        )
    return Header(len(names), itemgetter(*map(names.index, COLUMNS)))


def _row(number: int, raw: bytes, header: Header) -> Item | BadLine:
    try:
        row = next(csv.reader([raw.decode()]))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        return BadLine(number, "", f"not a CSV row of UTF-8 text: {error}", raw)
    if len(row) != header.width:
        return BadLine(number, "", f"{len(row)} columns of {header.width}", raw)
    values = dict(zip(COLUMNS, header.pick(row), strict=False))
    kind = TYPES.get(values["event_type"])
    if kind is None:
        known = ", ".join(TYPES)
        message = f"event_type = {shown(values['event_type'])} is none of {known}"
        return BadLine(number, "event_type", message, raw)
    return Item(number, _item(kind, values))


def _item(kind: str, values: dict[str, str]) -> dict[str, object]:
    rest = {key: values[key] for key in ("brand", "category_id", "user_session") if values[key]}
    product = {
        "product_id": values["product_id"],
        "category": values["category_code"],
        "price": values["price"] or None,
    }
    item: dict[str, object] = {
        "type": kind,
        "visitor_id": values["user_id"],
        "timestamp": _rfc3339(values["event_time"]),
        "products": [{key: value for key, value in product.items() if value}],
        "properties": rest,
    }
    if kind == "purchase" and values["price"]:
        item["value"] = values["price"]
    return item


def _rfc3339(text: str) -> str:
    """Turn ``2019-10-01 00:00:00 UTC`` into ``2019-10-01T00:00:00Z``; leave the rest to ingest."""
    day, _, rest = text.partition(" ")
    return f"{day}T{rest.removesuffix(' UTC')}Z" if rest.endswith(" UTC") else text
