"""One visitor whose events are told in seconds, and everything the rules say about it."""

from typing import Any, Self

from schemas.event import Event, Product
from schemas.rows import CartRow, OrderRow, SessionRow, SignalRow
from services.sessionizer.core import visitor
from services.sessionizer.core.policy import SourceRules

T0 = 1_760_000_000_000
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SHOE = Product(product_id="shoe", name="Shoe", category="shoes", price=5_000)
SOCK = Product(product_id="sock", name="Sock", category="socks", price=500)


def ms(seconds: float) -> int:
    """Return the epoch milliseconds of a second of the story."""
    return T0 + round(seconds * 1000)


class Shopper:
    """Folds events and keeps what is emitted; ``shopper("page_view", 5, path="/")`` at second 5."""

    def __init__(self, rules: SourceRules | None = None, visitor_id: str = "v") -> None:
        self.rules = rules or SourceRules()
        self.state = visitor.new_visitor("shop", visitor_id)
        self.clock_ms = T0
        self.sessions: list[SessionRow] = []
        self.carts: list[CartRow] = []
        self.orders: list[OrderRow] = []
        self.signals: list[SignalRow] = []
        self._version = 0

    def version(self) -> int:
        self._version += 1
        return self._version

    def session(self, row: SessionRow) -> None:
        self.sessions.append(row)

    def cart(self, row: CartRow) -> None:
        self.carts.append(row)

    def order(self, row: OrderRow) -> None:
        self.orders.append(row)

    def signal(self, row: SignalRow) -> None:
        self.signals.append(row)

    def event(self, kind: str, at: float, **fields: Any) -> Event:
        fields = {"event_id": f"{kind}@{at:g}", "visitor_id": self.state.visitor_id} | fields
        return Event(
            type=kind,  # type: ignore[arg-type]
            source="shop",
            ts_ms=ms(at),
            received_ms=ms(at),
            **fields,
        )

    def __call__(self, kind: str, at: float, **fields: Any) -> Self:
        visitor.fold(self.state, self.event(kind, at, **fields), self.rules, self)
        return self

    def late_order(self, at: float, **fields: Any) -> Self:
        visitor.late_order(self.state, self.event("purchase", at, **fields), self.rules, self)
        return self

    def wait(self, until: float) -> Self:
        """Let time pass, deadlines at exactly that second included."""
        visitor.advance(self.state, ms(until) + 1, self.rules, self)
        return self

    def look(self) -> Self:
        """Emit what is open as it stands."""
        visitor.emit_open(self.state, self.rules, self)
        return self

    @property
    def kinds(self) -> list[str]:
        """The signals so far, the entering of stages apart."""
        return [row.kind for row in self.signals if row.kind != "stage_entered"]

    def told(self, kind: str) -> SignalRow:
        """Return the one signal of a kind."""
        (row,) = (row for row in self.signals if row.kind == kind)
        return row
