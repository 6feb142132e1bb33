"""Shoppers whose rows and signals are known beforehand, exactly: whatever happens between."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from schemas.ids import cart_id, session_id, signal_id

SOURCE = "shop"
STORIES = ("bounce", "cart", "buyer")


class Shopper(Struct, frozen=True):
    """One visitor with one visit, sent in one request."""

    visitor: str
    story: str
    events: list[dict[str, Any]]

    def event_ids(self) -> set[str]:
        return {event["event_id"] for event in self.events}

    def session(self) -> str:
        return session_id(SOURCE, self.visitor, f"{self.visitor}-0")

    def cart(self) -> str | None:
        return (
            None if self.story == "bounce" else cart_id(SOURCE, self.visitor, f"{self.visitor}-3")
        )

    def outcome(self) -> str:
        return {"bounce": "none", "cart": "abandoned", "buyer": "converted"}[self.story]

    def signals(self) -> set[str]:
        """Return the ids of all signals this visit makes."""
        stages = {"bounce": 1, "cart": 3, "buyer": 4}[self.story]
        names = ("discovery", "interest", "intent", "purchase")[:stages]
        found = {signal_id("stage_entered", self.session(), name) for name in names}
        cart = self.cart()
        if self.story == "bounce":
            found.add(signal_id("bounce", self.session()))
        elif self.story == "cart" and cart:
            found.add(signal_id("cart_abandoned", cart))
        elif cart:
            found.add(signal_id("converted", cart, f"order-{self.visitor}"))
        return found


def shopper(number: int, now_ms: int) -> Shopper:
    """Return shopper number N, whose visit took place just before a time."""
    story = STORIES[number % len(STORIES)]
    visitor = f"v{number}"
    steps = list(_steps(story, visitor))
    events = [
        {
            "event_id": f"{visitor}-{place}",
            "visitor_id": visitor,
            "ts_ms": now_ms - 10 * (len(steps) - place),
            **step,
        }
        for place, step in enumerate(steps)
    ]
    return Shopper(visitor, story, events)


def _steps(story: str, visitor: str) -> Iterator[dict[str, Any]]:
    yield {"type": "page_view", "url": "https://shop.example/"}
    if story == "bounce":
        return
    goods = [{"product_id": "p1", "price": "12.50", "quantity": 2}]
    yield {"type": "page_view", "url": "https://shop.example/category/hats"}
    yield {"type": "product_view", "products": goods}
    yield {"type": "cart_add", "products": goods}
    if story == "buyer":
        yield {"type": "checkout_start"}
        yield {"type": "purchase", "order_id": f"order-{visitor}", "value": "25.00"}
