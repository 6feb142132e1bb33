"""The metrics computed plainly from the rows, a second time, from docs/api.md's wording alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from schemas.rows import CartRow, OrderRow, Row, SessionRow
from tests.metrics.shop import DAY, RANKED, SOURCE, Shop

Cell = tuple[float, float]
"""k and n (n is 0 for counts and sums)."""


def shown(rows: Iterable[Any]) -> list[Any]:
    return [
        row for row in rows if row.source == SOURCE and not (row.bot or row.test or row.excluded)
    ]


def session_cells(
    shop: Shop, name: str, from_ms: int, to_ms: int, by: Callable[[SessionRow], list[str]]
) -> dict[str, Cell]:
    cells: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    bought = {order["session_id"] for order in orders(shop)}
    for row in shown(shop.sessions):
        if from_ms <= row.started_ms < to_ms:
            k, n = session_counts(row, name, bought)
            for key in by(row):
                cells[key][0] += k
                cells[key][1] += n
    return {key: (k, n) for key, (k, n) in cells.items()}


def session_counts(row: SessionRow, name: str, bought: set[str]) -> Cell:
    seen = not row.open and row.page_views > 0
    rank = RANKED.index(row.furthest_stage) + 1 if row.furthest_stage else 0
    counts: dict[str, Cell] = {
        "sessions": (1, 0),
        "page_views": (row.page_views, 0),
        "bounce_rate": (row.bounced is True, seen),
        "engaged_rate": (seen and row.engaged is True, seen),
        "session_duration_ms": (row.duration_ms or 0, not row.open),
        "pages_per_session": (0 if row.open else row.page_views, not row.open),
        "conversion_rate": (row.session_id in bought, 1),
        "support_contact_rate": (
            not row.open and "support_sought" in row.friction,
            not row.open,
        ),
        "interest": (rank >= 2, rank >= 1),
        "engagement": (row.post_purchase, 0),
    }
    return counts[name]


def visitors(shop: Shop, from_ms: int, to_ms: int) -> int:
    return len({
        row.visitor_id
        for row in shown(shop.sessions)
        if row.started_ms < to_ms and row.ended_ms >= from_ms
    })  # fmt: skip


def cart_cells(
    shop: Shop, name: str, from_ms: int, to_ms: int, by: Callable[[CartRow], list[str]]
) -> dict[str, Cell]:
    cells: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    for row in shown(shop.carts):
        if row.bucket_ms is not None and from_ms <= row.bucket_ms < to_ms:
            for key in by(row):
                k, n = cart_counts(row, name, key)
                cells[key][0] += k
                cells[key][1] += n
    return {key: (k, n) for key, (k, n) in cells.items()}


def cart_counts(row: CartRow, name: str, key: str) -> Cell:
    left = row.abandoned_ms is not None
    decided = left or row.outcome == "converted"
    back = row.outcome == "recovered"
    counts: dict[str, Cell] = {
        "carts": (1, 0),
        "cart_abandonment_rate": (left, decided),
        "cart_abandonment_rate_net": (left and not back, decided),
        "checkout_abandonment_rate": (
            row.checkout_started and left,
            row.checkout_started and decided,
        ),
        "by_step": (left and row.checkout_step == key, decided),
        "abandoned_value": (row.abandoned_value or 0, 0),
        "recovered_value": ((row.abandoned_value or 0) if back else 0, 0),
    }
    return counts[name]


def orders(shop: Shop) -> list[dict[str, Any]]:
    """One entry an order of the source: what it is, whose it is, and what was given back when."""
    copies: dict[str, list[OrderRow]] = defaultdict(list)
    given: dict[str, dict[str, OrderRow]] = defaultdict(dict)
    for row in shop.orders:
        if row.source == SOURCE and row.kind == "order":
            copies[row.order_id].append(row)
        elif row.source == SOURCE:
            given[row.order_id].setdefault(row.event_id, row)
    return [_order(rows, list(given[name].values())) for name, rows in copies.items()]


def _order(rows: list[OrderRow], given: list[OrderRow]) -> dict[str, Any]:
    first = min(rows, key=lambda row: (row.provisional, row.at_ms, row.event_id))
    whose = min(
        rows,
        key=lambda row: (
            not row.named,
            not row.cart_id,
            not row.session_id,
            row.at_ms,
            row.event_id,
        ),
    )
    left = first.value or 0
    back = []
    cancelled = False
    for row in sorted(given, key=lambda row: (row.at_ms, row.event_id)):
        fits = row.value is None or row.currency in {"", first.currency}
        amount = min(left, left if row.value is None else row.value) if fits else 0
        left -= amount
        back.append((row.at_ms, amount, row.kind == "cancel" and not cancelled))
        cancelled = cancelled or row.kind == "cancel"
    return {
        "at_ms": first.at_ms,
        "value": first.value or 0,
        "currency": first.currency,
        "lines": first.lines,
        "provisional": first.provisional,
        "hidden": whose.bot or whose.test or whose.excluded,
        "session_id": whose.session_id,
        "channel": whose.channel,
        "buyer": f"user:{whose.user_id}"
        if whose.user_id
        else whose.visitor_id
        if whose.lasting
        else "",
        "back": back,
    }


def money(shop: Shop, name: str, from_ms: int, to_ms: int, currency: str) -> float:
    total = 0
    for order in orders(shop):
        if order["provisional"] or order["hidden"] or order["currency"] != currency:
            continue
        if from_ms <= order["at_ms"] < to_ms:
            total += {"orders": 1, "revenue": order["value"], "revenue_net": order["value"]}.get(
                name, 0
            )
        for at, amount, cancel in order["back"]:
            if from_ms <= at < to_ms:
                total += {
                    "refunds": amount,
                    "revenue_net": -amount,
                    "cancelled_orders": cancel,
                }.get(name, 0)
    return total


def repeats(shop: Shop, from_ms: int, to_ms: int) -> tuple[Cell, Cell]:
    """Buyers again over buyers; and days to the next order over orders that have a next."""
    by_buyer: dict[str, list[int]] = defaultdict(list)
    for order in orders(shop):
        if order["buyer"] and not order["provisional"] and not order["hidden"]:
            by_buyer[order["buyer"]].append(order["at_ms"])
    buyers = again = gap = followed = 0
    for times in by_buyer.values():
        times.sort()
        inside = [i for i, at in enumerate(times) if from_ms <= at < to_ms]
        buyers += bool(inside)
        again += bool(inside) and inside[-1] >= 1
        for i in inside:
            if i + 1 < len(times):
                followed += 1
                gap += times[i + 1] - times[i]
    return (again, buyers), (gap / DAY, followed)


def page_cells(shop: Shop, from_ms: int, to_ms: int) -> dict[str, dict[str, float]]:
    """By path: views, exits and times of closed sessions."""
    cells: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in shown(shop.sessions):
        if row.open or not from_ms <= row.started_ms < to_ms:
            continue
        for place, page in enumerate(row.pages, start=1):
            cells[page.path]["views"] += 1
            cells[page.path]["exits"] += place == len(row.pages)
            cells[page.path]["timed"] += page.time_ms is not None
            cells[page.path]["time"] += page.time_ms or 0
    return cells


def plain(row: Row, *names: str) -> list[str]:
    return [",".join(str(getattr(row, name)) for name in names)]
