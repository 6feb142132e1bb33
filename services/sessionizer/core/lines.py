"""The lines of a cart: what is in it, and what that is worth (docs/adr/0002, D3, D5, D6)."""

from collections.abc import Sequence

from schemas.event import Product
from services.sessionizer.core.state import TRUNCATED, Cart, Line

ROOM = 10_240
"""Bytes the lines of one cart may take; beyond it the oldest collapse into one."""
REST = "…"
"""The name of the line that stands for those that collapsed."""


def value_of(c: Cart) -> int:
    """Return what the cart is worth.

    That is the sum of price times quantity of its priced lines; where no line has a price, the
    newest value that the storefront stated for the cart, else 0 (D5).
    """
    total = priced_value(c)
    if total is None:
        return c.stated_value or 0
    return total


def priced_value(c: Cart) -> int | None:
    """Return the sum over the priced lines, None where no line has a price."""
    prices = [line.price * line.quantity for line in c.lines if line.price is not None]
    return sum(prices) if prices else None


def put(c: Cart, items: Sequence[Product], currency: str) -> None:
    """Add products: quantities add up, and what is stated anew about a product replaces the old.

    A cart has one currency; what is added in another comes in without a price (D6).
    """
    foreign = currency != c.currency
    lines = c.lines
    for item in items:
        if item.quantity <= 0:
            continue
        price = None if foreign else item.price
        for place, line in enumerate(lines):
            if line.product_id == item.product_id:
                lines[place] = _merged(line, item, price)
                break
        else:
            lines.append(_line(item, price))
        c.size += _size(item)
    if c.size > ROOM:
        _collapse(c)


def put_anew(c: Cart, items: Sequence[Product], currency: str) -> None:
    """Let the products be all that is in the cart, priced in this currency."""
    c.lines = []
    c.size = 0
    c.stated_value = None
    c.currency = currency
    put(c, items, currency)


def take(c: Cart, items: Sequence[Product]) -> None:
    """Take the stated quantity of each product off; a line at zero goes, an unknown is ignored."""
    for item in items:
        for place, line in enumerate(c.lines):
            if line.product_id == item.product_id:
                left = line.quantity - item.quantity
                if left > 0:
                    c.lines[place] = _with_quantity(line, left)
                else:
                    del c.lines[place]
                break


def has_content(items: Sequence[Product] | None) -> bool:
    """Tell whether a list of products puts anything into a cart."""
    return items is not None and any(item.quantity > 0 for item in items)


def _line(item: Product, price: int | None) -> Line:
    return Line(
        item.product_id,
        item.quantity,
        price,
        item.name,
        item.category,
        item.url,
        item.image_url,
    )


def _merged(line: Line, item: Product, price: int | None) -> Line:
    return Line(
        line.product_id,
        line.quantity + item.quantity,
        line.price if price is None else price,
        item.name or line.name,
        item.category or line.category,
        item.url or line.url,
        item.image_url or line.image_url,
    )


def _with_quantity(line: Line, quantity: int) -> Line:
    return Line(
        line.product_id, quantity, line.price, line.name, line.category, line.url, line.image_url
    )


def _size(item: Product | Line) -> int:
    texts = (item.product_id, item.name, item.category, item.url, item.image_url)
    return 20 + sum(len(t) if t.isascii() else len(t.encode()) for t in texts)


def _collapse(c: Cart) -> None:
    """Keep the newest lines that fill half the room, and one line worth what the others were."""
    kept: list[Line] = []
    size = 0
    for line in reversed(c.lines):
        size += _size(line)
        if size > ROOM // 2:
            break
        kept.insert(0, line)
    c.size = min(size, ROOM // 2)
    gone = c.lines[: len(c.lines) - len(kept)]
    if not gone:
        return
    prices = [line.price * line.quantity for line in gone if line.price is not None]
    c.lines = [Line(REST, 1, sum(prices) if prices else None, REST, "", "", ""), *kept]
    c.marks |= TRUNCATED
