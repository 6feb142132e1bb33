"""Cart episodes of a visitor's line, each from the event that opened it to its end (ADR 2, D)."""

from dataclasses import dataclass, field

import msgspec

from schemas import ids
from schemas.event import Event, Product
from tests.oracle.timeline import CART, CHECKOUT, FOREVER, LOST, Item, Line, Moment, Visit

STARTS_CHECKOUT = ("checkout_start", "checkout_step", "payment_info", "payment_failed")
STATES_TOTAL = ("cart_view", "cart_update", "checkout_start", "checkout_step", "payment_info")
TOUCHES = (*STARTS_CHECKOUT, "cart_add", "cart_remove", "cart_view", "cart_update", "coupon")


def lines_sum(lines: list[Product]) -> int | None:
    """Sum price times quantity of the priced lines; None where none is priced."""
    priced = [line.price * line.quantity for line in lines if line.price is not None]
    return sum(priced) if priced else None


def with_content(products: list[Product] | None) -> bool:
    return any(product.quantity > 0 for product in products or [])


@dataclass(frozen=True)
class Content:
    """What lay in the cart after an event, and how far its checkout had come."""

    lines: list[Product]
    stated: int | None
    currency: str
    steps: list[str]

    @property
    def value(self) -> int:
        summed = lines_sum(self.lines)
        return summed if summed is not None else self.stated or 0


@dataclass
class Episode:
    """One episode; moments say when things happened to it."""

    line: Line
    opening: Item
    lines: dict[str, Product] = field(default_factory=dict)
    stated: int | None = None
    currency: str = ""
    touched: list[tuple[Item, Visit | None]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    checkout_from: Moment | None = None
    checkout_abandoned: Moment | None = None
    cart_abandoned: Moment | None = None
    abandoned_value: int | None = None
    bucket_ms: int | None = None
    last_activity_ms: int = 0
    reopened_ms: int | None = None
    ended: Moment = FOREVER
    how: str = ""
    order: Item | None = None
    history: list[tuple[Moment, Content]] = field(default_factory=list)

    @property
    def id(self) -> str:
        line = self.line
        return ids.cart_id(line.source, line.address, self.opening.event.event_id)

    @property
    def now(self) -> Content:
        return Content(list(self.lines.values()), self.stated, self.currency, list(self.steps))

    def at(self, moment: Moment) -> Content:
        return next(was for when, was in reversed(self.history) if when <= moment)

    @property
    def abandoned(self) -> Moment | None:
        found = [m for m in (self.checkout_abandoned, self.cart_abandoned) if m]
        return min(found, default=None)

    def open_at(self, moment: Moment) -> bool:
        return self.opening.moment <= moment < self.ended

    def touches_by(self, moment: Moment) -> list[tuple[Item, Visit | None]]:
        return [(item, visit) for item, visit in self.touched if item.moment <= moment]

    def visit(self, moment: Moment) -> tuple[Item, Visit]:
        """Return the visit that touched it last, and the event by which it did."""
        found = [(i, v) for i, v in self.touches_by(moment) if v is not None]
        return found[-1]

    def newest(self, name: str, moment: Moment) -> str:
        values = [getattr(item.event, name) for item, _ in self.touches_by(moment)]
        return next((str(value) for value in reversed(values) if value), "")

    def put(self, products: list[Product] | None, *, priced: bool) -> None:
        for product in products or []:
            if product.quantity <= 0:
                continue
            new = product if priced else msgspec.structs.replace(product, price=None)
            old = self.lines.get(new.product_id)
            if old is not None:
                told = {name: getattr(new, name) for name in new.__struct_fields__}
                told = {name: value for name, value in told.items() if value not in ("", None)}
                told["quantity"] = old.quantity + new.quantity
                new = msgspec.structs.replace(old, **told)
            self.lines[new.product_id] = new

    def take_off(self, products: list[Product] | None) -> None:
        for product in products or []:
            line = self.lines.get(product.product_id)
            if line is not None:
                left = line.quantity - product.quantity
                self.lines[line.product_id] = msgspec.structs.replace(line, quantity=left)
                if left <= 0:
                    del self.lines[line.product_id]


def episodes_of(line: Line) -> list[Episode]:
    """Scan the line for episodes; deadlines strictly before an event come before it."""
    found: list[Episode] = []
    last_active = 0
    for item in line.items:
        open_one = found[-1] if found and found[-1].ended == FOREVER else None
        if open_one:
            pass_time(open_one, last_active, item.ts)
            open_one = open_one if open_one.ended == FOREVER else None
        previous, last_active = last_active, item.ts if item.active else last_active
        if open_one and item.active:
            open_one.last_activity_ms = item.ts
            if open_one.abandoned and open_one.reopened_ms is None and not line.only_counts(item):
                open_one.reopened_ms = item.ts
        if line.only_counts(item):
            continue
        if open_one is None and opens(item):
            open_one = begin(line, item)
            found.append(open_one)
        if open_one:
            apply(open_one, item, previous)
    if found and found[-1].ended == FOREVER:
        pass_time(found[-1], last_active, line.end_ms)
    return found


def pass_time(episode: Episode, last_active: int, t: int) -> None:
    """Fire what is due strictly before t, in time order, equal times in the order of the ranks."""
    cart = episode.line.policy.cart
    while episode.ended == FOREVER:
        due: list[Moment] = []
        if episode.checkout_from and not episode.checkout_abandoned:
            due.append((last_active + cart.checkout_idle_ms, 1, CHECKOUT))
        if not episode.cart_abandoned:
            due.append((last_active + cart.idle_ms, 1, CART))
        if episode.abandoned:
            due.append((episode.abandoned[0] + cart.recovery_ms, 1, LOST))
        first = min(due)
        if first[0] >= t:
            return
        if first[2] != LOST and not episode.abandoned:
            episode.abandoned_value, episode.bucket_ms = episode.now.value, last_active
        if first[2] == CHECKOUT:
            episode.checkout_abandoned = first
        elif first[2] == CART:
            episode.cart_abandoned = first
        else:
            episode.ended, episode.how = first, "lost"


def opens(item: Item) -> bool:
    event = item.event
    content = event.type == "cart_update" and with_content(event.products)
    return item.active and (event.type in ("cart_add", *STARTS_CHECKOUT) or content)


def begin(line: Line, item: Item) -> Episode:
    event = item.event
    currency = event.currency or line.rules.currency
    episode = Episode(line, item, currency=currency, last_activity_ms=item.ts)
    if event.type in STARTS_CHECKOUT:
        episode.put(event.products, priced=True)
    return episode


def apply(episode: Episode, item: Item, last_active: int) -> None:
    """Let one event act on the unresolved episode."""
    event, line = item.event, episode.line
    bought = item.at in line.first_purchases
    if event.type in TOUCHES or bought:
        episode.touched.append((item, line.visit_of(item)))
    emptied = event.type.startswith("cart_") and change_lines(episode, event)
    if emptied and not episode.abandoned:
        end(episode, item, "emptied", last_active)
    if bought:
        episode.order = item
        end(episode, item, "recovered" if episode.abandoned else "converted", last_active)
    if event.type in STATES_TOTAL and event.value is not None and not emptied:
        same = (event.currency or line.rules.currency) == episode.currency
        episode.stated = event.value if same else episode.stated
    if event.type in STARTS_CHECKOUT and item.active:
        episode.checkout_from = episode.checkout_from or item.moment
        step = step_of(event)
        if step and step not in episode.steps:
            episode.steps.append(step)
    episode.history.append((item.moment, episode.now))


def step_of(event: Event) -> str:
    default = {"checkout_start": "start", "payment_info": "payment", "payment_failed": "payment"}
    return event.checkout_step or default.get(event.type, "")


def change_lines(episode: Episode, event: Event) -> bool:
    """Change the lines and return whether that emptied the cart (D3, D4, D6)."""
    currency, had = event.currency or episode.line.rules.currency, bool(episode.lines)
    if event.type == "cart_add":
        if not had:
            episode.currency = currency
        episode.put(event.products, priced=currency == episode.currency)
    elif event.type == "cart_remove":
        episode.take_off(event.products)
    elif event.type == "cart_update" and event.products is not None:
        episode.lines, episode.stated = {}, None
        if with_content(event.products):
            episode.currency = currency
            episode.put(event.products, priced=True)
            return False
        return True
    emptied = event.type == "cart_remove" and had and not episode.lines
    episode.stated = None if emptied else episode.stated
    return emptied


def end(episode: Episode, item: Item, how: str, last_active: int) -> None:
    episode.ended, episode.how = item.moment, how
    if episode.bucket_ms is None:
        episode.bucket_ms = last_active
