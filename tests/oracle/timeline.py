"""A visitor's sorted events, its visits, and what is remembered when.

The oracle computes every number from whole lists, after the fact: a *moment* is a place on the
visitor's line, ``(ts, 0, index)`` for an event and ``(ts, 1, rank)`` for a deadline, so that a
deadline at t lies after every event of t. Numbers such as (A5) are those of docs/adr/0002.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas import ids
from schemas.event import Event, Utm
from services.sessionizer.core.policy import Policy, SourceRules

Moment = tuple[int, int, int]
FOREVER: Moment = (1 << 62, 1, 9)
CHECKOUT, CART, LOST, CLOSE = 0, 1, 2, 3

PASSIVE = {
    *("page_leave", "performance", "error", "refund", "cancel", "identify"),
    *("email_open", "email_click", "support"),
}
PASSIVE_FROM_SERVER = {"purchase", "payment_info", "payment_failed", "survey_response"}
RANKED = {"page_view": 0, "product_view": 0, "product_list_view": 0, "coupon": 2, "purchase": 3}
RANKED |= {"refund": 4, "cancel": 4}
PREFIXES = {"cart_": 1, "checkout_": 2, "payment_": 2}
BY_TYPE_FIRST = {"page_view", "product_view", "product_list_view", "custom"}
PAGE_LIKE = {"product_view": "product", "product_list_view": "category", "cart_view": "cart"}


def rank(kind: str) -> int:
    """Return the event type's place among events of one time (DESIGN, *The fold* 2)."""
    prefixed = (value for start, value in PREFIXES.items() if kind.startswith(start))
    return RANKED.get(kind, next(prefixed, 5))


@dataclass(frozen=True, eq=False)
class Item:
    """An event at its place in the visitor's line."""

    at: int
    event: Event
    address: str

    @property
    def ts(self) -> int:
        return self.event.ts_ms

    @property
    def moment(self) -> Moment:
        return (self.ts, 0, self.at)

    @property
    def named(self) -> bool:
        return self.event.visitor_id == self.address

    @property
    def foreign(self) -> bool:
        """A copy of an order that names another visitor: it changes carts only (F5)."""
        bought = self.event.type == "purchase"
        return bought and bool(self.event.visitor_id) and not self.named

    @property
    def active(self) -> bool:
        event = self.event
        server = event.type in PASSIVE_FROM_SERVER and event.origin == "server"
        nameless = event.type == "purchase" and not self.named
        return not (event.type in PASSIVE or server or nameless)

    @property
    def order(self) -> str:
        return self.event.order_id or self.event.event_id


def in_fold_order(events: Iterable[Event], address: str) -> list[Item]:
    """Sort by fold key, of equal ids only the copy received first (A3)."""
    copies: dict[str, Event] = {}
    for event in sorted(events, key=lambda e: (e.received_ms, e.ts_ms)):
        copies.setdefault(event.event_id, event)
    ordered = sorted(copies.values(), key=lambda e: (e.ts_ms, rank(e.type), e.event_id))
    return [Item(at, event, address) for at, event in enumerate(ordered)]


@dataclass
class Visit:
    """A session: the events attached to it, and its deadline's time once closed."""

    line: "Line"
    items: list[Item] = field(default_factory=list)
    closed_ms: int | None = None

    @property
    def id(self) -> str:
        return ids.session_id(self.line.source, self.line.address, self.items[0].event.event_id)

    @property
    def start(self) -> Moment:
        return self.items[0].moment

    @property
    def end(self) -> Moment:
        return FOREVER if self.closed_ms is None else (self.closed_ms, 1, CLOSE)

    @property
    def active(self) -> list[Item]:
        return [item for item in self.items if item.active]

    @cached_property
    def machine_from(self) -> Moment:
        """From when on the session is a machine's by its rate (C8)."""
        seconds: Counter[int] = Counter()
        bots = self.line.policy.bots
        for number, item in enumerate(self.items, start=1):
            seconds[item.ts // 1000] += 1
            if seconds[item.ts // 1000] > bots.per_second or number > bots.per_session:
                return item.moment
        return (FOREVER[0] + 1, 0, 0)

    def machine(self, until: Moment) -> bool:
        return self.machine_from <= until

    @cached_property
    def limited(self) -> set[int]:
        """Places of the events that only count (C8)."""
        since = self.machine_from
        return {i.at for i in self.items if i.moment >= since and i.event.type != "purchase"}

    def acting(self, until: Moment = FOREVER) -> list[Item]:
        """Events that do more than count, up to and including the moment."""
        found = self.limited
        return [i for i in self.items if i.moment <= until and i.at not in found]

    def dims(self, until: Moment) -> dict[str, Any]:
        """Say how the visit came and who made it, as known then (C5)."""
        attached = [item.event for item in self.acting(until)]
        active = [item.event for item in self.acting(until) if item.active]
        came = next((event for event in active if event.channel), None)
        variants: dict[str, str] = {}
        for event in active:
            variants = event.variants | variants
        firsts = {
            name: next((getattr(e, name) for e in active if getattr(e, name)), "")
            for name in ("device", "browser", "os", "country")
        }
        return (
            came_by(came)
            | firsts
            | {
                "variants": variants,
                "bot": self.machine(until) or any(event.bot for event in attached),
                "test": any(event.test for event in attached),
                "excluded": any(event.excluded for event in attached),
                "lasting": all(event.lasting for event in attached),
                "first_channel": self.line.first_channel(until),
            }
        )


def came_by(event: Event | None) -> dict[str, Any]:
    """Channel and campaign, together from one event."""
    utm = (event and event.utm) or Utm()
    names = ("source", "medium", "campaign", "term", "content")
    campaign: dict[str, Any] = {f"utm_{name}": getattr(utm, name) for name in names}
    return {"channel": event.channel if event else "", **campaign}


@dataclass
class Line:
    """A visitor's whole line: events in order, visits, busy spans and memory."""

    source: str
    address: str
    items: list[Item]
    rules: SourceRules
    end_ms: int
    spans: list[tuple[Moment, Moment]] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        return self.rules.policy

    @cached_property
    def visits(self) -> list[Visit]:
        session, found = self.policy.session, list[Visit]()
        for item in self.items:
            if found and found[-1].closed_ms is None:
                visit = found[-1]
                limit = visit.active[0].ts + session.max_ms
                deadline = min(visit.active[-1].ts + session.gap_ms, limit)
                visit.closed_ms = deadline if deadline < item.ts else None
            if item.foreign:
                continue
            if found and found[-1].closed_ms is None:
                found[-1].items.append(item)
            elif item.active:
                found.append(Visit(self, [item]))
        for visit in found[-1:]:
            limit = visit.active[0].ts + session.max_ms
            deadline = min(visit.active[-1].ts + session.gap_ms, limit)
            visit.closed_ms = deadline if deadline < self.end_ms else None
        return found

    def visit_of(self, item: Item) -> Visit | None:
        return next((visit for visit in self.visits if item in visit.items), None)

    def only_counts(self, item: Item) -> bool:
        visit = self.visit_of(item)
        return visit is not None and item.at in visit.limited

    def forgotten_before(self, moment: Moment) -> Moment:
        """Return the last moment before the given one at which the visitor was idle (A5)."""
        ends = [end for _, end in self.spans]
        ends += [item.moment for item in self.items]
        idle = (
            end
            for end in ends
            if end < moment and not any(start <= end < stop for start, stop in self.spans)
        )
        return max(idle, default=(-1, 0, 0))

    def newest(self, what: str, moment: Moment) -> object:
        """Return the newest ``user`` or ``consent`` remembered at a moment (A7)."""
        since, value = self.forgotten_before(moment), None
        for item in self.items:
            if since < item.moment <= moment and not item.event.to and not self.only_counts(item):
                consent = item.event.consent
                said = consent.marketing if consent else None
                stated = (item.event.user_id or None) if what == "user" else said
                value = value if stated is None else stated
        return value

    def first_channel(self, moment: Moment) -> str:
        since = self.forgotten_before(moment)
        for visit in self.visits:
            if since < visit.start <= moment:
                for item in visit.acting(moment):
                    if item.active and item.event.channel:
                        return item.event.channel
        return ""

    @cached_property
    def first_purchases(self) -> set[int]:
        """Places of the purchases whose order was not remembered (A5, E1)."""
        known: dict[str, int] = {}
        found = set()
        for item in self.items:
            if item.event.type == "purchase":
                before = known.get(item.order)
                if before is None or item.ts - before > self.policy.cart.past_buyer_ms:
                    known[item.order] = item.ts
                    found.add(item.at)
        return found

    def past_buyer(self, item: Item) -> bool:
        """Whether the visitor had bought, by then, within the year before (A6)."""
        year = self.policy.cart.past_buyer_ms
        bought = (i for i in self.items[: item.at] if i.at in self.first_purchases)
        return any(not i.foreign and item.ts - i.ts <= year for i in bought)

    def stage(self, item: Item) -> str:
        """Return the event's stage, ``""`` where it has none (B1, B2)."""
        event, policy = item.event, self.policy
        found = policy.stage_of_type.get(event.type, "")
        if event.type in ("page_view", "custom"):
            kind = event.page_kind or ("other" if event.type == "page_view" else "")
            found = policy.stage_of_page.get(kind, "")
        if event.type in BY_TYPE_FIRST and event.path:
            for rule in policy.stage_of_path:
                pattern = ".*".join(re.escape(part) for part in rule.pattern.split("*"))
                if re.fullmatch(pattern, event.path, re.DOTALL):
                    found = rule.stage or ""
                    break
        return "" if found == "engagement" and not self.past_buyer(item) else found
