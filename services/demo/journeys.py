"""What simulated shoppers do: a seeded script for each visit, as steps with pauses between them.

Pauses fit the demo's short-times policy, under which a cart is left after half a minute:
the first shows within a minute of the start. Every kind of journey that Waymark tells apart occurs:
bounces, browsing, carts and checkouts left with and without friction, orders told by browser and
webhook, recovered carts, reviews, bots.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from msgspec import Struct

from services.demo.shop import AGENTS, BOT, CURRENCY, ENTRANCES, GOODS, REASONS, SITE, Good

Event = dict[str, Any]
T = TypeVar("T")


class Step(Struct, frozen=True):
    """One event of a visit and how long after the one before it comes."""

    after_ms: int
    event: Event


class Visit:
    """One visit in the making: who, with what, and the steps so far."""

    def __init__(self, dice: random.Random, number: int) -> None:
        """Draw a visitor; every id follows from the seed and the visit's number."""
        self.dice = dice
        self.visitor = f"demo-{number:06d}-{dice.getrandbits(32):08x}"
        self.agent = _weighted(dice, AGENTS)
        self.steps: list[Step] = []
        self.cart: list[Good] = []

    def add(self, kind: str, *, pause: tuple[float, float] = (1, 4), **fields: Any) -> None:
        """Add a step of the visitor after a pause drawn between two bounds in seconds."""
        event: Event = {"type": kind, "visitor_id": self.visitor, "ua": self.agent, **fields}
        self.steps.append(Step(int(self.dice.uniform(*pause) * 1000), event))

    def told_by_server(self, kind: str, **fields: Any) -> None:
        """Add a step that the shop's backend reports without knowing the visitor."""
        self.steps.append(Step(1_500, {"type": kind, "origin": "server", **fields}))

    def chance(self, share: float) -> bool:
        """Return true in that share of draws."""
        return self.dice.random() < share

    @property
    def cart_id(self) -> str:
        """The shop's own cart id."""
        return f"cart-{self.visitor}"

    @property
    def total(self) -> int:
        """The cart's value in cents."""
        return sum(good.cents for good in self.cart)


def visits(seed: int) -> Iterator[list[Step]]:
    """Yield the steps of one visit after another, without end; the same seed gives the same."""
    dice = random.Random(seed)  # noqa: S311 - a simulation, no secret
    number = 0
    while True:
        number += 1
        visit = Visit(dice, number)
        _weighted(dice, PLOTS)(visit)
        yield visit.steps


def bounce(visit: Visit) -> None:
    """Look at one page and go; now and then because it was slow."""
    _enter(visit)
    if visit.chance(0.3):
        visit.add("performance", pause=(0.2, 0.8), url=f"{SITE}/", perf={"lcp_ms": 5_200})


def browse(visit: Visit) -> None:
    """Look around without putting anything aside."""
    _enter(visit)
    if visit.chance(0.25):
        visit.add("search", name="search", results_count=0, properties={"query": "umbrella"})
    for _ in range(visit.dice.randint(1, 4)):
        _look(visit)


def leave_cart(visit: Visit) -> None:
    """Put something into the cart and go."""
    _fill(visit)
    if visit.chance(0.3):
        visit.add("coupon", cart_id=visit.cart_id, coupon="SAVE20", coupon_status="denied")


def leave_checkout(visit: Visit) -> None:
    """Begin to pay, meet something, and go."""
    _fill(visit)
    _checkout(visit)
    visit.dice.choice((_dear_shipping, _card_refused, _asked_for_account, _gone))(visit)
    if visit.chance(0.4):
        comment = visit.dice.choice(REASONS)
        visit.add(
            "survey_response", survey={"kind": "open", "survey_id": "exit", "comment": comment}
        )


def buy(visit: Visit) -> None:
    """Pay; the order is told by the browser or by the payment service's webhook."""
    _fill(visit)
    _checkout(visit)
    _pay(visit)


def buy_later(visit: Visit) -> None:
    """Leave the cart, come back after it counts as abandoned, and pay."""
    _fill(visit)
    visit.add("cart_view", pause=(45, 65), url=f"{SITE}/cart", cart_id=visit.cart_id)
    _checkout(visit)
    _pay(visit)


def buy_and_return(visit: Visit) -> None:
    """Buy, and come back another time to review it."""
    buy(visit)
    visit.add("page_view", pause=(45, 65), url=f"{SITE}/account/orders")
    visit.add("review", products=[visit.cart[0].line()], properties={"rating": 5})


def crawl(visit: Visit) -> None:
    """Read many pages, as a search engine does."""
    visit.agent = BOT
    for good in visit.dice.sample(GOODS, 6):
        visit.add("page_view", pause=(0.2, 1), url=f"{SITE}/product/{good.slug}")


PLOTS: tuple[tuple[int, Callable[[Visit], None]], ...] = (
    (28, bounce),
    (24, browse),
    (16, leave_cart),
    (11, leave_checkout),
    (11, buy),
    (3, buy_later),
    (3, buy_and_return),
    (4, crawl),
)


def _enter(visit: Visit) -> None:
    visit.add("page_view", pause=(0, 1), title="Home", **_weighted(visit.dice, ENTRANCES))


def _look(visit: Visit) -> Good:
    good = visit.dice.choice(GOODS)
    visit.add("page_view", url=f"{SITE}/category/{good.category}", title=good.category.title())
    page = f"{SITE}/product/{good.slug}"
    visit.add("product_view", url=page, title=good.name, products=[good.line()], currency=CURRENCY)
    return good


def _fill(visit: Visit) -> None:
    _enter(visit)
    for _ in range(visit.dice.randint(1, 2)):
        good = _look(visit)
        visit.cart.append(good)
        visit.add("cart_add", products=[good.line()], currency=CURRENCY, **_cart(visit))
    visit.add("page_view", url=f"{SITE}/cart", title="Cart")


def _cart(visit: Visit) -> Event:
    return {"cart_id": visit.cart_id, "cart_url": f"{SITE}/cart/{visit.cart_id}"}


def _checkout(visit: Visit) -> None:
    visit.add("checkout_start", url=f"{SITE}/checkout", cart_id=visit.cart_id)
    _step(visit, "shipping", visit.total)


def _step(visit: Visit, name: str, cents: int) -> None:
    visit.add(
        "checkout_step",
        url=f"{SITE}/checkout/{name}",
        checkout_step=name,
        cart_id=visit.cart_id,
        value=_major(cents),
        currency=CURRENCY,
    )


def _dear_shipping(visit: Visit) -> None:
    _step(visit, "summary", visit.total + 1_290)


def _card_refused(visit: Visit) -> None:
    visit.add("payment_info", cart_id=visit.cart_id, payment_method="card")
    visit.add("payment_failed", cart_id=visit.cart_id, error={"kind": "payment", "message": "no"})


def _asked_for_account(visit: Visit) -> None:
    visit.add("page_view", url=f"{SITE}/account/login", title="Sign in")


def _gone(visit: Visit) -> None:
    visit.add("page_leave", pause=(1, 3), engaged_ms=1_200)


def _pay(visit: Visit) -> None:
    visit.add("payment_info", cart_id=visit.cart_id, payment_method="card")
    order: Event = {
        "order_id": f"order-{visit.visitor}",
        "cart_id": visit.cart_id,
        "value": _major(visit.total),
        "currency": CURRENCY,
        "products": [good.line() for good in visit.cart],
    }
    if visit.chance(0.5):
        visit.told_by_server("purchase", **order)
    else:
        visit.add("purchase", **order)
    visit.add("page_view", pause=(1, 2), url=f"{SITE}/order/thank-you", title="Thank you")


def _major(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _weighted(dice: random.Random, options: tuple[tuple[int, T], ...]) -> T:
    weights = [weight for weight, _ in options]
    return dice.choices([option for _, option in options], weights)[0]
