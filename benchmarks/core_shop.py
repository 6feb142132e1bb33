"""A made-up shop for the core's benchmark: seeded visits, interleaved, as records of the log.

The mix is that of a storefront whose pages report clicks and scrolling: a visit has some 15
events, 2 to 18 s apart, and is followed by another after an hour or two. A quarter of the visits
put something aside, half of those see the checkout, two thirds of those buy; slow pages, searches
and leaving pages come in between.
"""

import random
from collections.abc import Iterator
from heapq import heapify, heapreplace
from typing import Any

import msgspec

from schemas.event import Event, Form, Perf, Product
from services.common.ports import LogRecord

START_MS = 1_760_000_000_000
RECORD = 400
_LEFT, _CHECKOUT, _BUYS = 0.25, 0.5, 0.66
_PAGES = ("home", "category", "product", "product", "category", "product", "other")


class Shopper:
    """One visitor's endless sequence of visits."""

    def __init__(self, number: int, seed: random.Random) -> None:
        self.id = f"{seed.getrandbits(64):016x}-{number:08x}"
        self._random = seed
        self._steps: list[str] = []
        self.user = f"u-{number}" if number % 5 == 0 else ""
        self._device = seed.choice(("mobile", "desktop", "tablet"))
        self._channel = seed.choice(("direct", "organic_search", "email", "paid_search"))
        self._cart = f"c-{number:08x}"

    def _plan(self) -> list[str]:
        choose = self._random
        steps = ["page_view"]
        steps += choose.choices(
            ("page_view", "product_view", "click", "scroll", "search", "performance", "page_leave"),
            (20, 16, 22, 20, 4, 9, 9),
            k=int(min(choose.expovariate(1 / 14), 80)),
        )
        if choose.random() < _LEFT:
            steps += ["product_view", "cart_add"]
            if choose.random() < _CHECKOUT:
                steps += ["cart_view", "checkout_start", "checkout_step", "payment_info"]
                if choose.random() < _BUYS:
                    steps += ["purchase"]
        return steps[::-1]

    def next(self) -> tuple[str, int]:
        """Return what happens now, and how many milliseconds later something happens again."""
        self._steps = self._steps or self._plan()
        kind = self._steps.pop()
        if self._steps:
            return kind, self._random.randrange(2_000, 18_000)
        return kind, self._random.randrange(45, 135) * 60_000

    def event(self, kind: str, number: int, ts_ms: int) -> Event:
        """Return the event that says so."""
        choose = self._random
        product = f"p-{choose.randrange(5000)}"
        fields: dict[str, Any] = {}
        page = choose.choice(_PAGES)
        path = f"/{page}/{choose.randrange(300)}"
        if kind == "page_view":
            fields = {"page_kind": page, "title": f"{page} page"}
        elif kind in {"product_view", "cart_add"}:
            path, fields = f"/product/{product}", {"page_kind": "product"}
            fields["products"] = [
                Product(product, "A thing", "Things", choose.randrange(500, 9000))
            ]
        elif kind == "performance":
            fields = {"perf": Perf(lcp_ms=choose.uniform(800, 4400), load_ms=1900.0)}
        elif kind == "form_interaction":
            fields = {"form": Form("f", "zip")}
        elif kind == "purchase":
            fields = {"order_id": f"o-{number}", "value": choose.randrange(1000, 20000)}
        if kind.startswith(("cart", "checkout", "purchase")):
            fields |= {"cart_id": self._cart, "currency": "EUR"}
        return Event(
            type=kind,  # type: ignore[arg-type]
            event_id=f"{choose.getrandbits(128):032x}",
            source="shop",
            visitor_id=self.id,
            ts_ms=ts_ms,
            received_ms=ts_ms + 120,
            url=f"https://shop.example{path}",
            path=path,
            channel=self._channel,
            device=self._device,
            browser="Chrome",
            os="Android",
            country="DE",
            user_id=self.user,
            **fields,
        )


def lines(
    events: int, visitors: int, seed: int = 7, start_ms: int = START_MS
) -> Iterator[tuple[int, bytes]]:
    """Yield time and JSON line of so many events in the order in which they come about."""
    choose = random.Random(seed)
    shoppers = [Shopper(number, choose) for number in range(visitors)]
    spread_ms = 20 * 60_000
    heap = [(start_ms + choose.randrange(spread_ms), at) for at in range(visitors)]
    heapify(heap)
    encode = msgspec.json.Encoder().encode
    for number in range(events):
        ts_ms, at = heap[0]
        kind, gap_ms = shoppers[at].next()
        yield ts_ms, encode(shoppers[at].event(kind, number, ts_ms))
        heapreplace(heap, (ts_ms + max(gap_ms, 1), at))


def records(events: int, visitors: int, seed: int = 7, start_ms: int = START_MS) -> list[LogRecord]:
    """Return the events as records of the log, appended 150 ms after their newest event."""
    found: list[LogRecord] = []
    batch: list[bytes] = []
    for ts_ms, line in lines(events, visitors, seed, start_ms):
        batch.append(line)
        if len(batch) == RECORD:
            found.append(LogRecord(len(found) + 1, ts_ms + 150, b"\n".join(batch)))
            batch = []
    if batch:
        found.append(LogRecord(len(found) + 1, ts_ms + 150, b"\n".join(batch)))
    return found
