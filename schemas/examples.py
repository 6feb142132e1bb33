"""Examples of every published form: they stand in the JSON Schemas, and tests hold both to them."""

from typing import Any

_CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/141.0.0.0 Safari/537.36"
)
_SESSION = "8f1f7c5e-6f2b-6a0d-0b55-5d3c1f0f6c11"
_CART = "3a0f5b7e-9d1c-44a2-8c07-2b6f1f0b9a42"
_MS = 1_795_255_200_000  # 2026-11-21T10:00:00Z
_LINE = {"product_id": "sku-1", "name": "Blue shoes", "price": 3579, "quantity": 1}

EVENT_INPUT: list[dict[str, Any]] = [
    {
        "type": "page_view",
        "event_id": "f1c2b0a4-7a0e-4a52-9f0a-0c0d7f2f9b11",
        "visitor_id": "v-1001",
        "timestamp": "2026-11-21T10:00:00Z",
        "url": "https://shop.example/products/blue-shoes?utm_source=google&utm_medium=cpc",
        "referrer": "https://www.google.com/",
        "title": "Blue shoes",
        "ua": _CHROME,
    },
    {
        "type": "cart_add",
        "event_id": "cart-add-1",
        "visitor_id": "v-1001",
        "ts_ms": _MS + 30_000,
        "cart_id": "c-77",
        "cart_url": "https://shop.example/cart/c-77",
        "currency": "EUR",
        "products": [
            {"product_id": "sku-1", "name": "Blue shoes", "price": "35.79", "quantity": 1}
        ],
    },
    {
        "type": "purchase",
        "event_id": "order-9001",
        "origin": "server",
        "cart_id": "c-77",
        "order_id": "9001",
        "timestamp": 1_795_255_500,
        "value": 40.74,
        "shipping": "4.95",
        "currency": "EUR",
        "products": [{"product_id": "sku-1", "price": 35.79}],
    },
    {
        "type": "survey_response",
        "event_id": "answer-1",
        "visitor_id": "v-1001",
        "ts_ms": _MS + 60_000,
        "survey": {"kind": "csat", "survey_id": "checkout", "score": 4, "scale": 5},
        "consent": {"analytics": True, "marketing": False},
        "properties": {"plan": "gold"},
    },
]

EVENT: list[dict[str, Any]] = [
    {
        "type": "cart_add",
        "event_id": "cart-add-1",
        "source": "shop",
        "visitor_id": "v-1001",
        "ts_ms": _MS + 30_000,
        "received_ms": _MS + 30_200,
        "cart_id": "c-77",
        "cart_url": "https://shop.example/cart/c-77",
        "currency": "EUR",
        "products": [_LINE],
    },
]

_OF = {"source": "shop", "visitor_id": "v-1001", "channel": "paid_search", "version": 1}

SESSION: list[dict[str, Any]] = [
    {
        **_OF,
        "session_id": _SESSION,
        "started_ms": _MS,
        "ended_ms": _MS + 30_000,
        "closed_ms": _MS + 1_830_000,
        "duration_ms": 30_000,
        "open": False,
        "page_views": 1,
        "interactions": 1,
        "events": 2,
        "entry_path": "/products/blue-shoes",
        "exit_path": "/products/blue-shoes",
        "current_stage": "intent",
        "furthest_stage": "intent",
        "reached": ["interest", "intent"],
        "engaged": True,
        "bounced": False,
        "cart_id": _CART,
    },
]

CART: list[dict[str, Any]] = [
    {
        **_OF,
        "cart_id": _CART,
        "session_id": _SESSION,
        "opened_ms": _MS + 30_000,
        "last_activity_ms": _MS + 30_000,
        "bucket_ms": _MS + 30_000,
        "client_cart_id": "c-77",
        "cart_url": "https://shop.example/cart/c-77",
        "lines": [_LINE],
        "value": 3579,
        "currency": "EUR",
        "outcome": "abandoned",
        "abandoned_ms": _MS + 1_830_000,
        "abandoned_value": 3579,
    },
]

ORDER: list[dict[str, Any]] = [
    {
        **_OF,
        "order_id": "9001",
        "event_id": "order-9001",
        "at_ms": _MS + 300_000,
        "session_id": _SESSION,
        "cart_id": _CART,
        "value": 4074,
        "shipping": 495,
        "currency": "EUR",
        "lines": [_LINE],
    },
]

SIGNAL: list[dict[str, Any]] = [
    {
        **_OF,
        "signal_id": "5d0c1d5a-0f3c-9a3b-77f0-6f0b2f1f4a90",
        "kind": "cart_abandoned",
        "at_ms": _MS + 1_830_000,
        "emitted_ms": _MS + 1_860_400,
        "session_id": _SESSION,
        "cart_id": _CART,
        "value": 3579,
        "currency": "EUR",
        "cart_url": "https://shop.example/cart/c-77",
        "lines": [_LINE],
    },
]

DEAD_LETTER: list[dict[str, Any]] = [
    {
        "id": "0c8f8f0e-3c0a-5d5e-9a3f-1b2c3d4e5f60",
        "source": "shop",
        "received_ms": _MS,
        "code": "invalid_field",
        "field": "products[0].price",
        "message": "products[0].price: expected int | float | str, got array, got []",
        "original": (
            '{"type":"cart_add","visitor_id":"v-1","products":[{"product_id":"a","price":[]}]}'
        ),
        "event_id": "",
    },
]
