"""A generated shop: rows as the sessionizer emits them, six weeks around a DST night."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from schemas.event import Event, Product
from schemas.rows import CartRow, OrderRow, PageVisit, SessionRow, SignalRow
from services.common.ports import Sink
from services.loader.event_rows import rows_of_events

SOURCE = "shop"
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = int(datetime.fromisoformat("2026-04-20T12:00:00Z").timestamp() * 1000)
SINCE = NOW - 41 * DAY

KINDS = ("home", "category", "product", "cart", "checkout")
FRICTION = ("slow_page", "coupon_denied", "support_sought", "error")
RANKED = ("discovery", "interest", "intent", "purchase")
TABLES = ("sessions", "carts", "orders", "signals", "events")


@dataclass
class Shop:
    """All rows by table, the newest version of each."""

    sessions: list[SessionRow] = field(default_factory=list)
    carts: list[CartRow] = field(default_factory=list)
    orders: list[OrderRow] = field(default_factory=list)
    signals: list[SignalRow] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def insert(self, sink: Sink, token: str = "first") -> None:
        for table in TABLES:
            rows = getattr(self, table)
            lines = rows_of_events(rows) if table == "events" else map(msgspec.json.encode, rows)
            sink.insert(table, list(lines), f"{token}/{table}")


def generate(seed: int, visits: int = 500, since: int = SINCE) -> Shop:
    made = _Maker(random.Random(seed), since)
    for number in range(visits):
        made.visit(number)
    return made.shop


class _Maker:
    def __init__(self, rng: random.Random, since: int) -> None:
        self.rng = rng
        self.since = since
        self.shop = Shop()

    def new_id(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128)))

    def visit(self, number: int) -> None:
        rng = self.rng
        visitor = f"v{rng.randrange(150)}"
        start = rng.randrange(self.since, NOW)
        if number % 25 == 0:  # on the edges of quarters and months
            start -= start % (15 * MINUTE)
        shared: dict[str, Any] = {
            "source": SOURCE if rng.random() < 0.95 else "other",
            "visitor_id": visitor,
            "user_id": f"u{visitor[1]}" if rng.random() < 0.2 else "",
            "channel": rng.choice(("email", "organic", "paid", "")),
            "first_channel": rng.choice(("email", "social")),
            "utm_campaign": rng.choice(("", "spring")),
            "device": rng.choice(("mobile", "desktop")),
            "browser": rng.choice(("Firefox", "Chrome")),
            "os": rng.choice(("Linux", "iOS")),
            "country": rng.choice(("DE", "IN", "BR")),
            "bot": rng.random() < 0.05,
            "test": rng.random() < 0.02,
            "excluded": rng.random() < 0.02,
            "lasting": rng.random() < 0.8,
            "past_buyer": rng.random() < 0.3,
            "version": 5,
        }
        session = self.session(start, shared)
        if rng.random() < 0.5:
            self.cart(session, shared)
        if rng.random() < 0.3:
            self.order(session, shared)
        self.signal(session, shared)
        self.event(session, shared)

    def session(self, start: int, shared: dict[str, Any]) -> SessionRow:
        rng = self.rng
        end = start + rng.choice((0, 5_000, 20 * MINUTE, 3 * HOUR))
        open_ = end + 30 * MINUTE > NOW
        views = rng.randrange(0, 6)
        pages = [
            PageVisit(
                f"/{rng.choice('abc')}",
                rng.choice(KINDS),
                rng.choice(("", "mugs", "tea")),
                start,
                rng.choice((None, rng.randrange(60_000))),
            )
            for _ in range(views)
        ]
        reached = rng.randrange(0, 5)
        row = SessionRow(
            session_id=self.new_id(),
            started_ms=start,
            ended_ms=end,
            closed_ms=None if open_ else end + 30 * MINUTE,
            duration_ms=None if open_ else end - start,
            open=open_,
            page_views=views,
            furthest_stage=("", *RANKED)[reached],
            post_purchase=rng.random() < 0.1,
            engaged=None if open_ else (engaged := rng.random() < 0.5),
            bounced=None if open_ or not views else not engaged,
            friction=rng.sample(FRICTION, rng.randrange(0, 3)),
            pages=pages,
            **shared,
        )
        self.shop.sessions.append(row)
        return row

    def cart(self, session: SessionRow, shared: dict[str, Any]) -> None:
        rng = self.rng
        opened = session.started_ms
        last = opened + rng.randrange(0, 2 * HOUR)
        outcome = rng.choice(("open", "abandoned", "recovered", "lost", "emptied", "converted"))
        left = outcome in {"abandoned", "recovered", "lost"}
        friction = rng.sample(FRICTION, rng.randrange(0, 3))
        steps = ["start", "address", "payment"][: rng.randrange(0, 4)]
        row = CartRow(
            cart_id=self.new_id(),
            session_id=session.session_id,
            opened_ms=opened,
            last_activity_ms=last,
            bucket_ms=None if outcome == "open" else last,
            value=1000,
            currency=rng.choice(("EUR", "JPY")),
            lines=[Product("p", category=rng.choice(("", "mugs", "tea")), price=1000)],
            outcome=outcome,  # type: ignore[arg-type]
            checkout_started=bool(steps),
            checkout_step=steps[-1] if steps else "",
            checkout_steps=steps,
            abandoned_ms=last + 30 * MINUTE if left else None,
            abandoned_value=rng.randrange(1, 9999) if left else None,
            friction=friction,
            causes=friction[:1] if left else [],
            **shared,
        )
        self.shop.carts.append(row)

    def order(self, session: SessionRow, shared: dict[str, Any]) -> None:
        rng = self.rng
        at = session.started_ms + rng.randrange(0, HOUR)
        value = rng.randrange(1000, 9000)
        row = OrderRow(
            order_id=f"o{len(self.shop.orders)}",
            event_id=self.new_id(),
            at_ms=at,
            session_id=session.session_id,
            value=value,
            currency=rng.choice(("EUR", "JPY")),
            lines=[
                Product("p", category=rng.choice(("mugs", "tea")), price=300, quantity=2)
                for _ in range(rng.randrange(0, 3))
            ],
            provisional=rng.random() < 0.2,
            **shared,
        )
        self.shop.orders.append(row)
        replace = msgspec.structs.replace
        if rng.random() < 0.3:  # the shop's backend reports it too, and names nobody
            copy = replace(
                row,
                event_id=self.new_id(),
                visitor_id="user:u1",
                named=False,
                session_id="",
                provisional=False,
                value=value + 1,
                at_ms=at + rng.choice((-MINUTE, MINUTE)),
                channel="webhook",
            )
            self.shop.orders.append(copy)
        for _ in range(rng.choice((0, 0, 1, 2))):
            given = replace(
                row,
                event_id=self.new_id(),
                kind=rng.choice(("refund", "refund", "cancel")),
                at_ms=min(at + rng.randrange(1, 20 * DAY), NOW - 1),
                value=rng.choice((None, 500, value, 99_999)),
                currency=rng.choice((row.currency, "", "USD")),
            )
            self.shop.orders += [given, replace(given, visitor_id="user:u1")]

    def signal(self, session: SessionRow, shared: dict[str, Any]) -> None:
        row = SignalRow(
            signal_id=self.new_id(),
            kind=self.rng.choice(("bounce", "cart_abandoned", "slow_page")),
            at_ms=session.ended_ms,
            emitted_ms=session.ended_ms,
            stage=self.rng.choice(RANKED),
            retracted=self.rng.random() < 0.1,
            **shared,
        )
        self.shop.signals.append(row)

    def event(self, session: SessionRow, shared: dict[str, Any]) -> None:
        self.shop.events.append(
            Event(
                type=self.rng.choice(("page_view", "click", "cart_add")),
                event_id=self.new_id(),
                source=shared["source"],
                visitor_id=shared["visitor_id"],
                ts_ms=session.started_ms,
                channel=shared["channel"],
                device=shared["device"],
                page_kind=self.rng.choice(("home", "product")),
                path=f"/{self.rng.choice('abc')}",
                bot=shared["bot"],
                test=shared["test"],
                excluded=shared["excluded"],
            )
        )
