"""Segment calls, NDJSON: one call a line, or a batch object with its calls in ``batch``.

The tables below are the whole mapping: the e-commerce spec (V2) and the common fields. Whatever has
no place of its own stays in ``properties``. Segment has already corrected ``timestamp`` by the
client's clock, so ``sentAt`` is not applied again.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from schemas.refusal import shown
from services.formats.items import BadLine, Item, Line, Read

EVENTS: dict[str, dict[str, object]] = {
    "products searched": {"type": "search"},
    "product list viewed": {"type": "product_list_view"},
    "product list filtered": {"type": "product_list_view"},
    "promotion viewed": {"type": "custom", "page_kind": "other"},
    "promotion clicked": {"type": "custom", "page_kind": "other"},
    "product clicked": {"type": "custom", "page_kind": "product"},
    "product viewed": {"type": "product_view"},
    "product shared": {"type": "product_share"},
    "product added to wishlist": {"type": "wishlist_add"},
    "product removed from wishlist": {"type": "custom", "page_kind": "product"},
    "wishlist product added to cart": {"type": "cart_add"},
    "product added": {"type": "cart_add"},
    "product removed": {"type": "cart_remove"},
    "cart viewed": {"type": "cart_view"},
    "cart shared": {"type": "custom", "page_kind": "cart"},
    "checkout started": {"type": "checkout_start"},
    "checkout step viewed": {"type": "checkout_step"},
    "checkout step completed": {"type": "checkout_step"},
    "payment info entered": {"type": "payment_info"},
    "coupon entered": {"type": "coupon", "coupon_status": "entered"},
    "coupon applied": {"type": "coupon", "coupon_status": "applied"},
    "coupon denied": {"type": "coupon", "coupon_status": "denied"},
    "coupon removed": {"type": "coupon", "coupon_status": "removed"},
    "order completed": {"type": "purchase"},
    "order refunded": {"type": "refund"},
    "order cancelled": {"type": "cancel"},
    "product reviewed": {"type": "review"},
    "email opened": {"type": "email_open"},
    "email link clicked": {"type": "email_click"},
    "signed up": {"type": "signup"},
    "user registered": {"type": "signup"},
    "signed in": {"type": "login"},
}
"""Event name in small letters to what it is here; a name not listed is ``custom``.

A ``custom`` with a page kind takes that kind's stage: a promotion is Discovery, a click on a
product Interest, a shared cart Intent.
"""

ALIASES: dict[str, tuple[str, ...]] = {
    "value": ("total", "value", "revenue"),
    "cart_id": ("cart_id", "checkout_id"),
    "order_id": ("order_id", "transaction_id"),
    "coupon": ("coupon", "coupon_id"),
    "checkout_step": ("step", "checkout_step"),
    "shipping": ("shipping",),
    "tax": ("tax",),
    "discount": ("discount",),
    "currency": ("currency",),
    "payment_method": ("payment_method",),
    "cart_url": ("cart_url",),
    "results_count": ("results_count",),
}
"""Field here to the properties that may carry it; the first present wins."""

CALLS = frozenset({"track", "identify", "page", "screen", "group", "alias"})
"""The calls of the spec; another ``type`` is none of Segment's, and its fields would be lost."""

PRODUCT = ("product_id", "name", "category", "price", "quantity", "url", "image_url")
PAGE = ("url", "path", "referrer", "title")
CAMPAIGN = {"source": "source", "medium": "medium", "name": "campaign", "term": "term"}


def read(lines: Iterable[Line]) -> Read:
    """Yield an item a call; one without who, event name or time is rejected, naming the field."""
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            call = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number, "", f"not a JSON object: {error}", raw)
            continue
        for one in _calls(call):
            yield _item(number, one, raw)


def _calls(call: dict[str, Any]) -> Iterator[Any]:
    batch = call.get("batch")
    if isinstance(batch, list):
        yield from batch
    else:
        yield call


def _item(number: int, call: object, raw: bytes) -> Item | BadLine:
    if not isinstance(call, dict):
        return BadLine(number, "batch", f"batch holds {shown(call)}, which is no call", raw)
    missing = _missing(call)
    if missing:
        return BadLine(number, missing, f"{missing} is missing", raw)
    kind = _first(call, "type", "action")
    if not isinstance(kind, str) or kind not in CALLS:
        message = f"type = {shown(kind)} is none of {', '.join(sorted(CALLS))}"
        return BadLine(number, "type", message, raw)
    return Item(number, to_item(call))


def _missing(call: dict[str, Any]) -> str:
    """Return the first field that the spec requires and the call lacks, else an empty text."""
    if not (_first(call, "type", "action")):
        return "type"
    if not (_first(call, "anonymousId", "anonymous_id", "userId", "user_id")):
        return "anonymousId"
    if _first(call, "type", "action") == "track" and not call.get("event"):
        return "event"
    if not (_first(call, "timestamp", "originalTimestamp")):
        return "timestamp"
    return ""


def to_item(call: dict[str, Any]) -> dict[str, object]:
    """Return one call in input form; the caller has seen to the required fields."""
    kind = _first(call, "type", "action")
    properties = dict(_object(call, "traits" if kind == "identify" else "properties"))
    item = _common(call) | _what(str(kind), call)
    item |= _context(_object(call, "context"))
    if kind in {"page", "screen"}:
        item |= _taken(properties, PAGE)
    else:
        item |= _money_and_ids(properties)
        products = _products(properties)
        if products:
            item["products"] = products
    if properties:
        item["properties"] = properties
    return item


def _common(call: dict[str, Any]) -> dict[str, object]:
    named = {
        "visitor_id": _first(call, "anonymousId", "anonymous_id"),
        "user_id": _first(call, "userId", "user_id"),
        "event_id": _first(call, "messageId", "message_id"),
        "timestamp": _first(call, "timestamp", "originalTimestamp"),
    }
    return {key: value for key, value in named.items() if value}


def _what(kind: str, call: dict[str, Any]) -> dict[str, object]:
    if kind in {"page", "screen"}:
        return {"type": "page_view"} | ({"title": call["name"]} if call.get("name") else {})
    if kind != "track":
        return {"type": kind}
    name = str(call["event"])
    return {"name": name} | EVENTS.get(name.lower(), {"type": "custom"})


def _context(context: dict[str, Any]) -> dict[str, object]:
    item: dict[str, object] = _taken(dict(_object(context, "page")), PAGE)
    agent = _first(context, "userAgent", "user_agent")
    campaign = _object(context, "campaign")
    utm = {ours: campaign[theirs] for theirs, ours in CAMPAIGN.items() if campaign.get(theirs)}
    if campaign.get("content"):
        utm["content"] = campaign["content"]
    found = {"ip": context.get("ip"), "ua": agent, "utm": utm}
    return item | {key: value for key, value in found.items() if value}


def _money_and_ids(properties: dict[str, Any]) -> dict[str, object]:
    item: dict[str, object] = {}
    for ours, names in ALIASES.items():
        name = next((name for name in names if properties.get(name) not in (None, "")), None)
        if name is not None:
            value = properties.pop(name)
            item[ours] = str(value) if ours == "checkout_step" else value
    return item


def _products(properties: dict[str, Any]) -> list[dict[str, object]]:
    """Return the lines of a list, or the one product whose fields stand in the properties."""
    listed = properties.pop("products", None) or properties.pop("items", None)
    if isinstance(listed, list):
        return [_product(dict(line)) for line in listed if isinstance(line, dict)]
    if _first(properties, "product_id", "sku") is None:
        return []
    return [_product(properties)]


def _product(line: dict[str, Any]) -> dict[str, object]:
    """Take a product's fields out of ``line``, which keeps what has no place."""
    product = {key: line.pop(key) for key in PRODUCT if line.get(key) not in (None, "")}
    sku = line.get("sku")
    if "product_id" not in product and sku:
        product["product_id"] = line.pop("sku")
    return product


def _taken(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, object]:
    return {name: values.pop(name) for name in names if values.get(name)}


def _first(values: dict[str, Any], *names: str) -> Any:
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


def _object(values: dict[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}
