"""Shoppers of a seed: who they are, what they do and when. Every story ends undecided in nothing.

The policy's times are so short that sessions close, carts are abandoned, recovered and lost within
seconds. Grace is longer than a hole that is no stall, so that nobody is late for a short outage.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

SOURCE = "shop"
POLICY = """
[session]
gap_ms = 3_000
[cart]
idle_ms = 2_500
checkout_idle_ms = 1_500
recovery_ms = 8_000
[time]
grace_ms = 6_000
stall_ms = 3_000
hold_min_ms = 4_000
hold_max_ms = 60_000
lag_hold_max_ms = 30_000
emit_every_ms = 2_000
"""
DECIDED_MS = 60_000
"""After so long without an event every session is closed and every cart decided."""

Json = dict[str, Any]
Step = tuple[int, str, Json]
"""When (milliseconds after the one before), which type, and its further fields."""

TEA = {"product_id": "tea", "name": "Tea", "price": "12.50"}
POT = {"product_id": "pot", "name": "Pot", "price": "30.00", "quantity": 1}
SHOP = "https://shop.example"


class Post(Struct):
    """One request: when it is due (milliseconds after the story's begin) and its events."""

    due_ms: int
    events: list[Json]
    repeat: bool
    held_back: bool


def view(path: str) -> tuple[str, Json]:
    return ("page_view", {"url": f"{SHOP}{path}"})


def look() -> Iterator[Step]:
    yield (0, *view("/"))
    yield (150, "product_view", {"products": [TEA], "url": f"{SHOP}/products/tea"})


def put(cart: Json | None = None) -> Iterator[Step]:
    yield from look()
    yield (200, "cart_add", {"products": [TEA], **(cart or {})})


def pay(name: str, after: int = 300, **more: Any) -> Step:
    bought = {"order_id": f"order-{name}", "value": "12.50", "products": [TEA], "currency": "USD"}
    return (after, "purchase", bought | more)


def bounces(_: str) -> Iterator[Step]:
    yield (0, *view("/"))


def browses(_: str) -> Iterator[Step]:
    yield from look()
    yield (250, "search", {"properties": {"query": "pot"}})
    yield (200, "product_view", {"products": [POT], "url": f"{SHOP}/products/pot"})


def leaves(_: str) -> Iterator[Step]:
    yield from put()


def leaves_checkout(_: str) -> Iterator[Step]:
    yield from put()
    yield (200, "checkout_start", {"products": [TEA]})
    yield (200, "checkout_step", {"checkout_step": "delivery"})


def buys(name: str) -> Iterator[Step]:
    yield from put()
    yield (250, "checkout_start", {})
    yield pay(name)


def empties(_: str) -> Iterator[Step]:
    yield from put()
    yield (300, "cart_remove", {"products": [TEA]})


def comes_back(name: str) -> Iterator[Step]:
    """Yield a cart left, and paid for before it is lost."""
    yield from put()
    yield (4_500, *view("/cart"))
    yield pay(name)


def loses(_: str) -> Iterator[Step]:
    """Yield a cart left for too long; the next add opens another."""
    yield from put()
    yield (12_500, "cart_add", {"products": [POT]})


def pays_elsewhere(name: str) -> Iterator[Step]:
    """Yield a cart that a payment webhook pays for, which knows the cart alone."""
    cart = {"cart_id": f"cart-{name}"}
    yield from put(cart)
    yield (200, "checkout_start", cart)
    yield pay(name, 400, visitor_id=None, origin="server", **cart)


STORIES: tuple[tuple[Callable[[str], Iterator[Step]], int], ...] = (
    (bounces, 2),
    (browses, 2),
    (leaves, 3),
    (leaves_checkout, 2),
    (buys, 3),
    (empties, 1),
    (comes_back, 3),
    (loses, 1),
    (pays_elsewhere, 2),
)


def story(seed: int, number: int) -> list[Post]:
    """Return what shopper N of a seed sends; times count from the story's begin."""
    dice = random.Random(f"{seed}/{number}")
    tell = dice.choices([one for one, _ in STORIES], [weight for _, weight in STORIES])[0]
    name = f"v{number}"
    posts: list[Post] = []
    at_ms = 0
    for place, (after, kind, fields) in enumerate(tell(name)):
        at_ms += after * dice.randint(80, 120) // 100
        event = {"type": kind, "event_id": f"{name}-{place}", "visitor_id": name, "at": at_ms}
        event = {key: value for key, value in (event | fields).items() if value is not None}
        joined = posts and at_ms - posts[-1].due_ms < 400 and dice.random() < 0.4
        if joined:
            posts[-1].events.append(event)
            posts[-1].due_ms = at_ms
        else:
            posts.append(Post(at_ms, [event], dice.random() < 0.15, dice.random() < 0.1))
    for post, after_it in itertools.zip_longest(posts, posts[1:]):
        if after_it is None or after_it.due_ms - post.due_ms > 1_000:
            post.held_back = False
        if dice.random() < 0.3:
            dice.shuffle(post.events)
    return posts
