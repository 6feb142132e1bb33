"""Friction patterns of a visitor's line (ADR 2, G): found on whole lists, after the fact."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

from schemas.event import Event
from schemas.money import exponents
from schemas.rows import Friction
from tests.oracle import carts
from tests.oracle.carts import STARTS_CHECKOUT, Episode, step_of
from tests.oracle.timeline import PAGE_LIKE, Item, Line, Visit

ORDER = list(get_args(Friction))


@dataclass(frozen=True)
class Found:
    """A pattern: its kind, its first event, and the event that completed it."""

    kind: str
    first: Item
    last: Item


def friction_of(line: Line, episodes: list[Episode]) -> list[Found]:
    """Return every pattern in the order of completion, kinds of one event in one fixed order."""
    acting = [i for i in line.items if not i.foreign and not line.only_counts(i)]
    found = [Found(kind, item, item) for item in acting for kind in at_once(line, item)]
    for visit in line.visits:
        found += form_errors(line, visit) + rage_clicks(line, visit) + walks(line, visit)
    for episode in episodes:
        found += costs(line, episode) + reentries(line, episode) + account_walls(line, episode)
    return sorted(found, key=lambda f: (f.last.moment, ORDER.index(f.kind), f.first.at))


def at_once(line: Line, item: Item) -> list[str]:
    """Kinds that one event shows by itself (G1)."""
    event, limits = item.event, line.policy.friction
    perf = event.perf
    lcp = perf.lcp_ms if perf and perf.lcp_ms is not None else 0.0
    load = perf.load_ms if perf and perf.load_ms is not None else 0.0
    help_page = event.type == "page_view" and event.page_kind == "support"
    shown = {
        "slow_page": lcp > limits.slow_lcp_ms or load > limits.slow_load_ms,
        "out_of_stock": event.type == "stock_out" or event.stock_out is True,
        "error": event.type == "error",
        "dead_click": event.type == "dead_click",
        "payment_failed": event.type == "payment_failed",
        "coupon_denied": event.type == "coupon" and event.coupon_status == "denied",
        "search_no_results": event.type == "search" and event.results_count == 0,
        "support_sought": event.type == "support" or help_page,
    }
    return [kind for kind, seen in shown.items() if seen]


def form_errors(line: Line, visit: Visit) -> list[Found]:
    by_form: dict[str, list[Item]] = {}
    for item in visit.acting():
        form = item.event.form
        if item.event.type == "form_interaction" and form and form.error:
            by_form.setdefault(form.form_id, []).append(item)
    need = line.policy.friction.form_errors
    many = (items for items in by_form.values() if len(items) >= need)
    return [Found("form_struggle", items[0], items[need - 1]) for items in many]


def rage_clicks(line: Line, visit: Visit) -> list[Found]:
    clicks, found = list[Item](), list[Found]()
    need = line.policy.friction.rage_clicks
    for item in visit.acting():
        if item.event.type == "click":
            clicks.append(item)
            if len(clicks) >= need and is_rage(line, clicks[-need:]):
                found.append(Found("rage_click", clicks[-need], item))
                clicks = []
    return found


def is_rage(line: Line, clicks: list[Item]) -> bool:
    limits, first = line.policy.friction, clicks[0].event
    if clicks[-1].ts - clicks[0].ts > limits.rage_window_ms:
        return False
    if len({item.event.path for item in clicks}) > 1:
        return False
    if first.element and len({item.event.element for item in clicks}) == 1:
        return True
    return all(pixels_apart(first, item.event) <= limits.rage_px for item in clicks)


def pixels_apart(first: Event, other: Event) -> float:
    """Return how far apart two clicks were, without end where that cannot be known."""
    width, _, height = first.viewport.partition("x")
    places = (first.x, first.y, other.x, other.y)
    if not (width.isdecimal() and height.isdecimal()) or None in places:
        return math.inf
    x, y, x2, y2 = (place or 0.0 for place in places)
    return math.hypot((x2 - x) * int(width), (y2 - y) * int(height))


def pages_of(visit: Visit) -> list[Item]:
    """Return the events that are listed as its pages (C2), those that only count left out."""
    acting = visit.acting()
    pages = [item for item in acting if item.event.type == "page_view"]
    return pages or [item for item in acting if item.event.type in PAGE_LIKE]


def walks(line: Line, visit: Visit) -> list[Found]:
    """U-turns and loops over the visits to pages; those C2 discards walked before (G5)."""
    acting = visit.acting()
    viewed = [item.at for item in acting if item.event.type == "page_view"]
    like = [item for item in acting if item.event.type in PAGE_LIKE]
    before = [item for item in like if not viewed or item.at < viewed[0]]
    seen = [item for item in acting if item.event.type == "page_view"]
    return [found for pages in (before, seen) for found in turns(line, pages)]


def turns(line: Line, pages: list[Item]) -> list[Found]:
    limits, walk, found = line.policy.friction, list[Item](), list[Found]()
    for page in pages:
        if page.event.path and not (walk and walk[-1].event.path == page.event.path):
            walk.append(page)
    free = 0
    for at in range(2, len(walk)):
        there, away, back = walk[at - 2 : at + 1]
        quick = back.ts - away.ts <= limits.u_turn_ms
        if at - 2 >= free and there.event.path == back.event.path and quick:
            found.append(Found("u_turn", there, back))
            free = at
    free, need = 0, 2 * limits.loop_visits
    for at in range(need - 1, len(walk)):
        lap = walk[at - need + 1 : at + 1]
        swings = all(a.event.path == b.event.path for a, b in zip(lap, lap[2:], strict=False))
        if at - need + 1 >= free and swings and lap[-1].ts - lap[0].ts <= limits.loop_window_ms:
            found.append(Found("loop", lap[0], lap[-1]))
            free = at + 1
    return found


def checkouts(line: Line, episode: Episode) -> list[Item]:
    """Return the active checkout events of an episode."""
    touched = (item for item, _ in episode.touched if item.active)
    return [item for item in touched if item.event.type in STARTS_CHECKOUT]


def costs(line: Line, episode: Episode) -> list[Found]:
    limits = line.policy.friction
    share = round(limits.cost_rise * 10_000)
    for item in checkouts(line, episode):
        total, content = item.event.value, episode.at(item.moment)
        cart = carts.lines_sum(content.lines)
        currency = item.event.currency or line.rules.currency
        decimals = exponents().get(currency, 2)
        if total is None or not cart or currency != content.currency:
            continue
        rise = total - cart
        if rise * 10_000 > cart * share and rise > limits.cost_rise_major * 10**decimals:
            return [Found("unexpected_cost", item, item)]
    return []


def reentries(line: Line, episode: Episode) -> list[Found]:
    steps = [(step_of(item.event), item) for item in checkouts(line, episode)]
    steps = [(step, item) for step, item in steps if step]
    entered, counts = {step for step, _ in steps[:1]}, Counter[str]()
    firsts: dict[str, Item] = {}
    found = []
    for (before, _), (step, item) in pairwise(steps):
        if step in entered and step != before:
            counts[step] += 1
            firsts.setdefault(step, item)
            if counts[step] == line.policy.friction.step_reentries:
                found.append(Found("form_struggle", firsts[step], item))
        entered.add(step)
    return found


def account_walls(line: Line, episode: Episode) -> list[Found]:
    for visit in line.visits:
        for item in visit.acting():
            page = item.event.type == "page_view" and item.event.page_kind == "account"
            begun = episode.checkout_from and episode.checkout_from < item.moment
            if page and begun and episode.open_at(item.moment):
                return [Found("account_wall", item, item)]
    return []
