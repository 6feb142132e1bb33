"""What a storefront may send wrongly, each by name: the code, field and value that come back."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.event import Event
from schemas.refusal import Refusal

Accept = Callable[..., Event]
Refuse = Callable[..., Refusal]

BASE = {"type": "page_view", "event_id": "e-1", "visitor_id": "v-1"}


def with_(**fields: Any) -> dict[str, Any]:
    return BASE | fields


@pytest.mark.parametrize(
    ("item", "code", "field", "part"),
    [
        # Unreadable
        (b'{"type":"page_view","visitor_id":"v', "invalid_json", "", "Unterminated string"),
        (b'{"type":"page_view"} {"a":1}', "invalid_json", "", "Extra data at character 21"),
        (b"", "invalid_json", "", "Expecting value"),
        (b'{"type":"page_view","visitor_id":"\xff"}', "invalid_utf8", "", "byte 0xff at 34"),
        (b"[1]", "not_an_object", "", "got [1]"),
        (b'"text"', "not_an_object", "", "got 'text'"),
        (b"null", "not_an_object", "", "got null"),
        (
            b'{"type":"a","visitor_id":"v-1","title":"a\\u0000b"}',
            "invalid_text",
            "title",
            "NUL character",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","title":"a\x00b"}',
            "invalid_json",
            "",
            "Invalid control character",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","title":"\\ud83d"}',
            "invalid_text",
            "title",
            "lone surrogate",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","properties":{"k":["\\udc00"]}}',
            "invalid_text",
            "properties.k[0]",
            "lone surrogate",
        ),
        # Doubled
        (
            b'{"type":"page_view","visitor_id":"v-1","type":"purchase"}',
            "duplicate_key",
            "type",
            "type is twice, last as 'purchase'",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","properties":{"k":1,"k":2}}',
            "duplicate_key",
            "k",
            "k is twice, last as 2",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","products":[{"product_id":"a","product_id":"b"}]}',
            "duplicate_key",
            "product_id",
            "last as 'b'",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","ts_ms" :1,"ts_ms":1}',
            "duplicate_key",
            "ts_ms",
            "last as 1",
        ),
        # Numbers that JSON does not know
        (b'{"type":"a","visitor_id":"v-1","x":NaN}', "invalid_field", "x", "got NaN"),
        (
            b'{"type":"a","visitor_id":"v-1","properties":{"k":-Infinity}}',
            "invalid_field",
            "properties.k",
            "got -Infinity",
        ),
        (
            b'{"type":"a","visitor_id":"v-1","value":1e999}',
            "invalid_field",
            "value",
            "must be a finite number, got inf",
        ),
        # Ids
        ({"type": "page_view"}, "missing_id", "visitor_id", "at least one of visitor_id"),
        (with_(visitor_id=""), "missing_id", "visitor_id", "are no ids"),
        (with_(visitor_id="null"), "missing_id", "visitor_id", "are no ids"),
        (with_(visitor_id="undefined"), "missing_id", "visitor_id", "are no ids"),
        (with_(visitor_id=" Anonymous "), "missing_id", "visitor_id", "are no ids"),
        (with_(visitor_id=None), "missing_id", "visitor_id", "are no ids"),
        (
            {"type": "page_view", "user_id": "guest", "cart_id": "NaN"},
            "missing_id",
            "visitor_id",
            "are no ids",
        ),
        (with_(visitor_id=17), "invalid_field", "visitor_id", "visitor_id: expected str, got 17"),
        (with_(visitor_id="x" * 201), "invalid_field", "visitor_id", "length <= 200"),
        (with_(visitor_id="a\x1fb"), "invalid_field", "visitor_id", "control character"),
        (with_(visitor_id="cart:c-1"), "invalid_field", "visitor_id", "got 'cart:c-1'"),
        (
            with_(visitor_id=" user:7 "),
            "invalid_field",
            "visitor_id",
            "begin with cart: or user: or order:",
        ),
        (with_(visitor_id="order:9"), "invalid_field", "visitor_id", "got 'order:9'"),
        (with_(event_id=["e"]), "invalid_field", "event_id", 'got ["e"]'),
        # Types
        ({"visitor_id": "v-1"}, "missing_field", "type", "type is missing"),
        (with_(type=None), "missing_field", "type", "type is missing"),
        (with_(type=""), "invalid_field", "type", "got ''"),
        (with_(type=5), "invalid_field", "type", "type: expected str, got 5"),
        (with_(url=5), "invalid_field", "url", "got 5"),
        (with_(stock_out="yes"), "invalid_field", "stock_out", "got 'yes'"),
        (with_(properties=[1]), "invalid_field", "properties", "got [1]"),
        (with_(variants={"a": 1}), "invalid_field", "variants", 'got {"a": 1}'),
        (
            with_(page_kind="shop"),
            "invalid_field",
            "page_kind",
            "page_kind: invalid enum value, got 'shop'",
        ),
        (with_(origin="robot"), "invalid_field", "origin", "got 'robot'"),
        (with_(x=1.5), "invalid_field", "x", "got 1.5"),
        (with_(engaged_ms=-1), "invalid_field", "engaged_ms", "got -1"),
        (with_(ip="300.1.1.1"), "invalid_field", "ip", "'300.1.1.1' is no IPv4 or IPv6"),
        (with_(survey={"score": 3}), "missing_field", "survey.kind", "survey.kind is missing"),
        (
            with_(survey={"kind": "csat", "score": "x"}),
            "invalid_field",
            "survey.score",
            "got 'x'",
        ),
        # Products and money
        (
            with_(products={"product_id": "a"}),
            "invalid_field",
            "products",
            "products: expected array, got {",
        ),
        (with_(products=[{"price": 1}]), "missing_field", "products[0].product_id", "missing"),
        (
            with_(products=[{"product_id": "a"}, {"product_id": "b", "price": -1}]),
            "invalid_field",
            "products[1].price",
            "-1 is no amount",
        ),
        (
            with_(products=[{"product_id": "a", "quantity": -2}]),
            "invalid_field",
            "products[0].quantity",
            "got -2",
        ),
        (
            with_(products=[{"product_id": "a", "quantity": 1.5}]),
            "invalid_field",
            "products[0].quantity",
            "got 1.5",
        ),
        (with_(value="35,79"), "invalid_field", "value", "'35,79' is no amount"),
        (with_(value="-0.01"), "invalid_field", "value", "'-0.01' is no amount"),
        (with_(value="NaN"), "invalid_field", "value", "'NaN' is no amount"),
        (with_(value="1e9999"), "invalid_field", "value", "'1e9999' is no amount"),
        (with_(value=True), "invalid_field", "value", "got true"),
        (with_(currency="EURO"), "invalid_currency", "currency", "'EURO' is no ISO 4217"),
        (with_(currency=978), "invalid_field", "currency", "got 978"),
    ],
)
def test_what_is_wrong_is_named(
    refuse: Refuse, item: Any, code: str, field: str, part: str
) -> None:
    refusal = refuse(item)
    assert (refusal.code, refusal.field) == (code, field)
    assert part in refusal.message


def test_32_kib_are_taken_and_one_byte_more_is_not(accept: Accept, refuse: Refuse) -> None:
    item = b'{"type":"page_view","event_id":"e-1","visitor_id":"v-1"}'
    accept(item.ljust(32 * 1024))
    refusal = refuse(item.ljust(32 * 1024 + 1))
    assert refusal == Refusal("too_large", "", "event has 32769 bytes, 32768 are allowed", "e-1")


def test_nesting_of_32_is_taken_and_33_is_not(accept: Accept, refuse: Refuse) -> None:
    def nested(levels: int) -> bytes:
        return (
            b'{"type":"page_view","visitor_id":"v-1","properties":{"k":'
            + b"[" * levels
            + b"]" * levels
            + b"}}"
        )

    assert accept(nested(30)).properties["k"]
    assert refuse(nested(31)) == Refusal("too_deep", "", "nesting is 33 deep, 32 is allowed")
    assert refuse(nested(16_000)).code == "too_deep"


def test_brackets_inside_texts_are_no_nesting(accept: Accept) -> None:
    assert accept(with_(properties={"k": "[{" * 40})).properties == {"k": "[{" * 40}


def test_a_refusal_carries_the_id_the_client_gave(refuse: Refuse) -> None:
    assert refuse(with_(x=9)).event_id == "e-1"
    assert refuse(with_(value="abc")).event_id == "e-1"
    assert refuse(with_(visitor_id="null")).event_id == "e-1"


def test_a_message_shows_no_more_than_80_characters_of_a_value(refuse: Refuse) -> None:
    assert refuse(with_(value="9" * 500)).message.count("9") == 80


def test_null_means_absent(accept: Accept) -> None:
    event = accept(
        with_(
            user_id=None,
            title=None,
            value=None,
            products=[
                {
                    "product_id": "a",
                    "price": None,
                    "name": None,
                }
            ],
        )
    )
    assert (event.user_id, event.title, event.value) == ("", "", None)
    assert event.products
    assert event.products[0].price is None


def test_whole_floats_are_integers(accept: Accept) -> None:
    event = accept(
        b'{"type":"cart_add","visitor_id":"v-1","engaged_ms":5.0,'
        b'"products":[{"product_id":"a","quantity":2.0}]}'
    )
    assert event.engaged_ms == 5
    assert event.products
    assert event.products[0].quantity == 2


def test_unknown_fields_are_kept_and_own_ones_ignored(accept: Accept) -> None:
    event = accept(
        with_(
            plan="gold",
            count=3,
            properties={"plan": "own"},
            products=[{"product_id": "a"}, {"product_id": "b", "brand": "Acme"}],
            utm={"source": "x", "id": "77"},
            source="elsewhere",
            received_ms=1,
            excluded=True,
            lasting=False,
            provisional=True,
            to="cart:1",
        )
    )
    assert event.properties == {
        "plan": "own",
        "_plan": "gold",
        "count": 3,
        "products": [{}, {"brand": "Acme"}],
        "utm": {"id": "77"},
    }
    assert (event.source, event.received_ms) == ("shop", 1_795_255_200_000)
    assert (event.excluded, event.lasting, event.provisional, event.to) == (False, True, False, "")


def test_an_unknown_type_is_custom_and_keeps_its_name(accept: Accept) -> None:
    event = accept(with_(type="spin_wheel"))
    assert (event.type, event.name) == ("custom", "spin_wheel")
    event = accept(with_(type="spin_wheel", name="wheel of jane@shop.example"))
    assert (event.type, event.name) == ("custom", "spin_wheel")
    assert event.properties == {"name": "wheel of (email)"}


def test_a_storefront_cannot_send_control_records(accept: Accept) -> None:
    assert (accept(with_(type="__tick")).type, accept(with_(type="__link")).name) == (
        "custom",
        "__link",
    )


def test_escaped_text_reads_as_plain_text(accept: Accept) -> None:
    event = accept(
        b'{"type":"page_view","visitor_id":"v-1",'
        b'"url":"https:\\/\\/shop.example\\/caf\\u00e9","title":"a \\"b\\" \\\\ c\\nd"}'
    )
    assert event.path == "/café"
    assert event.title == 'a "b" \\ c\nd'
