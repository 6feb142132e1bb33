"""The file that both installations are sent: shoppers of every kind, in two storefronts."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from services.demo.journeys import visits
from tests.journey.installations import Installation

Event = dict[str, Any]
SEED = 20
VISITS = 45
AGO_MS = 20 * 60_000
"""When the first came: long enough ago to be over, not so long that nobody is live any more."""
PAGE = "https://shop.example"
REFUSED: list[Any] = [
    {"type": "page_view", "event_id": "nobody"},
    {"type": "purchase", "visitor_id": "v", "event_id": "costly", "value": "much"},
    {"visitor_id": "v", "event_id": "typeless"},
    "no object",
]


@dataclass
class Both:
    """The two installations, and what they are told."""

    standalone: Installation
    distributed: Installation
    start_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000 - AGO_MS)

    def each(self) -> tuple[Installation, Installation]:
        return self.standalone, self.distributed

    @cached_property
    def file(self) -> dict[str, list[Event]]:
        return {
            "shop": _dated(itertools.chain(_seeded(), _special()), self.start_ms),
            "outlet": _dated(_outlet(), self.start_ms),
        }

    @cached_property
    def late(self) -> list[Event]:
        """Orders told when their carts have been given up: one knows the cart, one the user."""
        order = {"type": "purchase", "origin": "server", "value": "19.50", "currency": "EUR"}
        found = [
            {**order, "event_id": "late-cart", "order_id": "late-1", "cart_id": "basket-late-0"},
            {**order, "event_id": "late-user", "order_id": "late-2", "user_id": "u-late-1"},
        ]
        return [one | {"ts_ms": self.start_ms + 45_000} for one in found]

    def send(self) -> None:
        """Send the file to both, batch by batch."""
        for source, events in self.file.items():
            for first in range(0, len(events), 200):
                for installation in self.each():
                    batch = events[first : first + 200]
                    assert installation.post(source, batch)["accepted"] == len(batch)
        for installation in self.each():
            installation.post("shop", self.file["shop"][:20])  # a client that tried again
            answer = installation.post("shop", REFUSED)
            assert (answer["accepted"], len(answer["errors"])) == (0, len(REFUSED))


def _dated(journeys: Iterator[tuple[str, int, list[tuple[int, Event]]]], at_ms: int) -> list[Event]:
    """Give the steps of each journey their times and ids, and sort them as they would come."""
    events = [
        {"event_id": f"{name}-{place}", "ts_ms": at_ms + start_ms + after, **event}
        for name, start_ms, steps in journeys
        for place, (after, event) in enumerate(steps)
    ]
    return sorted(events, key=lambda event: int(event["ts_ms"]))


def _seeded() -> Iterator[tuple[str, int, list[tuple[int, Event]]]]:
    for number, steps in enumerate(itertools.islice(visits(SEED), VISITS)):
        after = itertools.accumulate(step.after_ms for step in steps)
        events = [step.event for step in steps]
        yield f"seeded-{number}", number * 7_000, list(zip(after, events, strict=True))


def _special() -> Iterator[tuple[str, int, list[tuple[int, Event]]]]:
    for number, make in enumerate(SPECIAL):
        steps = list(make())
        yield make.__name__.strip("_"), number * 5_000, steps


def _view(who: str, path: str, **more: Any) -> Event:
    return {"type": "page_view", "visitor_id": who, "url": f"{PAGE}{path}", **more}


def _goods(price: str, quantity: int = 1) -> list[Event]:
    line = {"product_id": "p1", "name": "Hat", "category": "hats", "price": price}
    return [line | {"quantity": quantity}]


def _clicks() -> Iterator[tuple[int, Event]]:
    """Rage, a dead click, a turn on the heel, a loop."""
    yield 0, _view("annoyed", "/")
    for number in range(3):
        yield 3_000 + number * 200, {"type": "click", "visitor_id": "annoyed", "element": "#buy"}
    yield 5_000, {"type": "dead_click", "visitor_id": "annoyed", "element": "#logo"}
    for number in range(10):
        yield 6_000 + number * 1_500, _view("annoyed", f"/product/{number % 2}")


def _form() -> Iterator[tuple[int, Event]]:
    """Struggle with a form, an error, goods sold out; ask for help."""
    yield 0, _view("struggling", "/product/hat")
    yield 1_000, {"type": "cart_add", "visitor_id": "struggling", "products": _goods("19.50")}
    yield 2_000, {"type": "checkout_start", "visitor_id": "struggling", "url": f"{PAGE}/checkout"}
    for number in range(4):
        form = {"form_id": "address", "field": "zip", "error": "invalid"}
        step = {"type": "form_interaction", "visitor_id": "struggling", "form": form}
        yield 3_000 + number * 900, step
    error = {"kind": "js", "message": "x is undefined"}
    yield 7_000, {"type": "error", "visitor_id": "struggling", "error": error}
    yield 8_000, {"type": "stock_out", "visitor_id": "struggling", "products": _goods("19.50")}
    yield 9_000, {"type": "support", "visitor_id": "struggling"}


def _crowd() -> Iterator[tuple[int, Event]]:
    """More in one second than a person does."""
    yield 0, _view("machine", "/")
    for number in range(130):
        yield 1_000, {"type": "click", "visitor_id": "machine", "element": f"#{number}"}


def _nameless() -> Iterator[tuple[int, Event]]:
    """Someone who wants no analytics, and buys."""
    consent = {"analytics": False, "marketing": False}
    who = {"visitor_id": "shy", "user_id": "u-shy", "consent": consent, "properties": {"a": 1}}
    yield 0, {"type": "page_view", "url": f"{PAGE}/", **who}
    yield 2_000, {"type": "cart_add", "products": _goods("19.50"), **who}
    order = {"order_id": "order-shy", "value": "19.50", "currency": "EUR"}
    yield 9_000, {"type": "purchase", **order, **who}


def _phone() -> Iterator[tuple[int, Event]]:
    """Fill a cart on the phone, and pay for it on the laptop, as the same customer."""
    user = {"user_id": "u-two"}
    yield 0, _view("phone", "/", **user)
    yield 2_000, {"type": "cart_add", "visitor_id": "phone", "products": _goods("19.50", 2), **user}
    yield 8_000, _view("laptop", "/", **user)
    order = {"order_id": "order-two", "value": "39.00", "shipping": "4.90", "currency": "EUR"}
    yield 12_000, {"type": "purchase", "visitor_id": "laptop", **order, **user}
    back = {"type": "refund", "order_id": "order-two", "value": "19.50", "currency": "EUR"}
    yield 20_000, back | {"visitor_id": "laptop", "origin": "server"}


def _webhook() -> Iterator[tuple[int, Event]]:
    """Pay, and only the payment service tells of it, knowing nothing but the cart."""
    cart = {"cart_id": "basket-hook", "cart_url": f"{PAGE}/cart/basket-hook"}
    consent = {"analytics": True, "marketing": True}
    yield 0, _view("hooked", "/?utm_source=news&utm_medium=email", consent=consent)
    yield 2_000, {"type": "cart_add", "visitor_id": "hooked", "products": _goods("19.50"), **cart}
    order = {"order_id": "order-hook", "value": "19.50", "currency": "EUR"}
    yield 9_000, {"type": "purchase", "origin": "server", "cart_id": "basket-hook", **order}


def _left() -> Iterator[tuple[int, Event]]:
    """Two carts that are paid for later than anybody told us: see ``Both.late``."""
    for number in range(2):
        who = {"visitor_id": f"late-{number}", "user_id": f"u-late-{number}"}
        yield number * 1_000, {"type": "page_view", "url": f"{PAGE}/", **who}
        cart = {"cart_id": f"basket-late-{number}", "products": _goods("19.50")}
        yield number * 1_000 + 500, {"type": "cart_add", **cart, **who}


def _emptied() -> Iterator[tuple[int, Event]]:
    """Empty a cart; and what is no act of the shopper's."""
    who = {"visitor_id": "undecided"}
    yield 0, _view("undecided", "/")
    yield 2_000, {"type": "cart_add", "products": _goods("19.50"), **who}
    yield 4_000, {"type": "cart_remove", "products": _goods("19.50"), **who}
    yield 5_000, {"type": "email_open", **who}
    survey = {"kind": "csat", "survey_id": "s1", "score": 4, "scale": 5}
    yield 6_000, {"type": "survey_response", "survey": survey, **who}
    perf = {"lcp_ms": 6_100.0, "inp_ms": 120.0, "cls": 0.02, "ttfb_ms": 300.0, "load_ms": 7_000.0}
    yield 6_500, {"type": "performance", "url": f"{PAGE}/", "perf": perf, **who}


SPECIAL: tuple[Callable[[], Iterator[tuple[int, Event]]], ...] = (
    _clicks,
    _form,
    _crowd,
    _nameless,
    _phone,
    _webhook,
    _left,
    _emptied,
)


def _outlet() -> Iterator[tuple[str, int, list[tuple[int, Event]]]]:
    """Another storefront, whose money has no cents: one looks, one leaves a cart, one buys."""
    for number in range(6):
        who = f"guest-{number}"
        steps = [(0, _view(who, "/")), (4_000, _view(who, "/product/umeboshi"))]
        if number % 3:
            steps.append(
                (9_000, {"type": "cart_add", "visitor_id": who, "products": _goods("1200", 2)})
            )
        if number % 3 == 2:
            order = {"order_id": f"o-{who}", "value": "2400", "tax": "240"}
            steps.append((15_000, {"type": "purchase", "visitor_id": who, **order}))
        yield who, number * 11_000, steps
