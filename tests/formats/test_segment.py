"""Segment calls: every field that has a place is there, and what is missing is named."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.context import Context, site
from schemas.event import Event
from schemas.normalise import normalise
from services.formats.items import BadLine, Item
from services.formats.segment import EVENTS, read

FILES = ("segment_ecommerce_v2_examples.jsonl", "segment_spec_examples.jsonl")
NOW_MS = 1_795_000_000_000
DONE_MS = 1_793_527_200_000
DONE = {"anonymousId": "visitor-1", "messageId": "m-1", "timestamp": "2026-11-01T10:00:00Z"}


def test_a_product_added_has_every_field_in_its_place() -> None:
    call = {
        "type": "track",
        "event": "Product Added",
        "userId": "u-1",
        "properties": {
            "cart_id": "c-1",
            "product_id": "p-1",
            "sku": "G-32",
            "category": "Games",
            "name": "Monopoly",
            "brand": "Hasbro",
            "price": 18.99,
            "quantity": 2,
            "coupon": "MAYDEALS",
            "url": "https://www.example.com/p",
            "image_url": "https://www.example.com/p.jpg",
        },
        "context": {
            "ip": "8.8.8.8",
            "userAgent": "UA/1",
            "page": {"url": "https://www.example.com/now", "referrer": "https://example.org/"},
            "campaign": {"name": "May", "source": "letter", "medium": "email", "content": "top"},
        },
    }
    assert _only(call | DONE) == {
        "type": "cart_add",
        "name": "Product Added",
        "event_id": "m-1",
        "visitor_id": "visitor-1",
        "user_id": "u-1",
        "timestamp": "2026-11-01T10:00:00Z",
        "url": "https://www.example.com/now",
        "referrer": "https://example.org/",
        "ip": "8.8.8.8",
        "ua": "UA/1",
        "utm": {"campaign": "May", "source": "letter", "medium": "email", "content": "top"},
        "cart_id": "c-1",
        "coupon": "MAYDEALS",
        "products": [
            {
                "product_id": "p-1",
                "name": "Monopoly",
                "category": "Games",
                "price": 18.99,
                "quantity": 2,
                "url": "https://www.example.com/p",
                "image_url": "https://www.example.com/p.jpg",
            }
        ],
        "properties": {"sku": "G-32", "brand": "Hasbro"},
    }


def test_an_order_takes_its_total_before_its_revenue() -> None:
    properties = {"order_id": "o-1", "total": 27.5, "revenue": 22.5, "tax": 2, "currency": "USD"}
    item = _only({"type": "track", "event": "Order Completed", "properties": properties} | DONE)
    assert item["type"] == "purchase"
    assert (item["value"], item["tax"], item["order_id"]) == (27.5, 2, "o-1")
    assert item["properties"] == {"revenue": 22.5}


def test_a_page_call_is_a_page_view_of_its_properties() -> None:
    page = {"title": "Welcome", "url": "https://www.example.com/"}
    item = _only({"type": "page", "name": "Home", "properties": page} | DONE)
    assert (item["type"], item["title"], item["url"]) == ("page_view", "Welcome", page["url"])


def test_an_unknown_name_is_custom_and_keeps_it() -> None:
    item = _only({"type": "track", "event": "Course Clicked"} | DONE)
    assert (item["type"], item["name"]) == ("custom", "Course Clicked")


def test_a_batch_gives_an_item_a_call() -> None:
    call = {"type": "page"} | DONE
    raw = msgspec.json.encode({"batch": [call, call | {"messageId": "m-2"}, 7]})
    items = list(read([(1, raw)]))
    assert [item.item["event_id"] for item in items if isinstance(item, Item)] == ["m-1", "m-2"]
    assert [bad.message for bad in items if isinstance(bad, BadLine)] == [
        "batch holds 7, which is no call"
    ]


@pytest.mark.parametrize("gone", ["type", "event", "timestamp", "anonymousId"])
def test_a_call_that_lacks_a_required_field_names_it(gone: str) -> None:
    call = {"type": "track", "event": "Product Viewed"} | DONE
    del call[gone]
    (bad,) = read([(9, msgspec.json.encode(call))])
    assert isinstance(bad, BadLine)
    assert (bad.line, bad.field, bad.message) == (9, gone, f"{gone} is missing")


def test_what_is_none_of_the_calls_is_rejected() -> None:
    (bad,) = read([(9, msgspec.json.encode({"type": "product_view", "userId": "u-1"} | DONE))])
    assert isinstance(bad, BadLine)
    assert (bad.field, "'product_view' is none of alias, group" in bad.message) == ("type", True)


@pytest.mark.parametrize("kind", [{"is": "track"}, ["track"], 7, "track" * 1_000])
def test_a_type_that_is_no_name_of_a_call_is_rejected_in_few_words(kind: object) -> None:
    (bad,) = read([(9, msgspec.json.encode(DONE | {"type": kind}))])
    assert isinstance(bad, BadLine)
    assert (bad.field, len(bad.message) < 200) == ("type", True)
    assert " is none of alias, group" in bad.message


@pytest.mark.parametrize("name", FILES)
def test_the_documented_examples_once_completed_are_all_understood(
    name: str, test_data: Path
) -> None:
    for call in _examples(test_data / name):
        item = _only(call | DONE)
        assert item["visitor_id"] == "visitor-1"
        if call.get("type") == "track":
            assert item["type"] == EVENTS.get(call["event"].lower(), {"type": "custom"})["type"]
        for line, product in zip(_listed(call), item.get("products", []), strict=False):
            assert product.items() <= line.items()
            assert product["product_id"] == line["product_id"]


@pytest.mark.parametrize("name", FILES)
def test_the_documented_examples_once_completed_become_whole_events(
    name: str, test_data: Path
) -> None:
    context = Context(site=site("shop"), received_ms=NOW_MS, new_id=str, max_age_ms=None)
    for call in _examples(test_data / name):
        item = _only(call | DONE)
        event = normalise(msgspec.json.encode(item), context)
        assert isinstance(event, Event), event
        assert (event.visitor_id, event.event_id, event.ts_ms) == ("visitor-1", "m-1", DONE_MS)
        for field in ("cart_id", "order_id", "coupon", "payment_method", "title", "url"):
            assert getattr(event, field) == item.get(field, ""), field
        for field in ("value", "shipping", "tax", "discount"):
            assert getattr(event, field) == _minor(item.get(field)), field
        assert len(event.products or []) == len(item.get("products", []))
        for product, line in zip(event.products or [], item.get("products", []), strict=True):
            assert product.price == _minor(line.get("price"))
            assert product.name == line.get("name", "")


@pytest.mark.parametrize("name", FILES)
def test_the_documented_examples_uncompleted_are_rejected_by_what_they_lack(
    name: str, test_data: Path
) -> None:
    for call in _examples(test_data / name):
        (read_one,) = read([(1, msgspec.json.encode(call))])
        named = call.get("anonymousId") or call.get("userId") or call.get("user_id")
        if named and call.get("timestamp"):
            assert isinstance(read_one, Item)
        else:
            assert isinstance(read_one, BadLine)
            assert read_one.field == ("timestamp" if named else "anonymousId")


def _minor(amount: float | None) -> int | None:
    return None if amount is None else round(amount * 100)


def _only(call: dict[str, Any]) -> dict[str, Any]:
    (item,) = read([(1, msgspec.json.encode(call))])
    assert isinstance(item, Item)
    return item.item


def _listed(call: dict[str, Any]) -> list[dict[str, Any]]:
    properties = call.get("properties", {})
    products = properties.get("products") or [properties]
    return [line for line in products if "product_id" in line]


def _examples(file: Path) -> list[dict[str, Any]]:
    lines = file.read_bytes().splitlines()
    calls = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    return [call.get("payload", call) for call in calls]
