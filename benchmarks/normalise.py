"""What normalisation costs: ``python -m benchmarks.normalise``, microseconds of CPU an event.

Bodies of 100 events as a shop's backend sends them, split, read, normalised and encoded for the
log. The best of many short runs counts: the machine's other work only ever adds.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.figures import figure
from schemas.body import split
from schemas.context import Context, site
from schemas.normalise import normalise, prepare

NOW = 1_795_255_200_000
SHOP = site("shop", currency="EUR", hosts=["shop.example"])
RUNS, BODIES, BATCH = 40, 20, 100


def page_view(number: int) -> dict[str, Any]:
    """Return a page view: one of 500 products, one of 50 user agents."""
    return {
        "type": "page_view",
        "event_id": f"0b7c9d1e-6f3a-4c7b-9a55-{number:012d}",
        "visitor_id": f"b2f1c9a0-77aa-4c1d-8e21-{number % 977:012d}",
        "ts_ms": NOW - 1_000 + number % 700,
        "url": f"https://shop.example/products/{number % 500}?utm_source=google&utm_medium=cpc",
        "referrer": "https://www.google.com/",
        "title": "Blue shoes",
        "ua": f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_{number % 50} like Mac OS X)"
        " AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
        "viewport": "390x844",
    }


def cart_add(number: int) -> dict[str, Any]:
    """Return an add of two lines."""
    lines = [
        {"product_id": f"p{number % 500}", "name": "Blue", "price": 35.79, "quantity": 1},
        {"product_id": "p2", "name": "Red", "price": "12.50", "quantity": 2},
    ]
    cart = {"type": "cart_add", "cart_id": f"c-{number}", "currency": "EUR", "products": lines}
    return page_view(number) | cart


def landing(number: int) -> dict[str, Any]:
    """Return a page view whose URL was never seen before."""
    url = f"https://shop.example/products/{number % 500}?gclid={time.monotonic_ns()}{number}"
    return page_view(number) | {"url": url}


def with_unknown(number: int) -> dict[str, Any]:
    """Return a page view with a field that Waymark does not know."""
    return page_view(number) | {"theme": "dark"}


def bodies(make: Callable[[int], dict[str, Any]]) -> list[bytes]:
    """Return newline-delimited bodies."""
    numbers = range(BODIES * BATCH)
    lines = [json.dumps(make(number), separators=(",", ":")).encode() for number in numbers]
    return [b"\n".join(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]


def run(given: Iterable[bytes], work: Callable[[bytes, Context], object]) -> float:
    """Return the CPU seconds of one run."""
    began = time.process_time()
    for body in given:
        ctx = Context(site=SHOP, received_ms=NOW, new_id=str, sent_ms=NOW - 50)
        items = split(body)
        if isinstance(items, list):
            for item in items:
                work(item, ctx)
    return time.process_time() - began


def main() -> None:
    """Print the table."""
    works: list[tuple[str, Callable[[bytes, Context], object]]] = [
        ("split alone", lambda _item, _ctx: None),
        ("to the log's line", prepare),
        ("to an event", normalise),
    ]
    for make in (page_view, cart_add, with_unknown, landing):
        given, costs = bodies(make), dict[str, str]()
        for name, work in works:
            once = 1 if make is landing and work is prepare else RUNS
            best = min(run(given, work) for _ in range(once)) / (BODIES * BATCH)
            print(f"{make.__name__:14}{name:20}{best * 1e6:8.2f} µs{1 / best:12,.0f} events/s")
            costs[name] = f"{best * 1e6:.2f} us"
        figure(
            f"{make.__name__} to the log's line",
            costs[works[1][0]],
            "",
            f"{costs[works[0][0]]} (split)",
        )


if __name__ == "__main__":
    main()
