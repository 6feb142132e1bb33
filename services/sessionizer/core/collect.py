"""Where the fold's rows gather until they are taken: the newest of each id."""

from itertools import islice

from msgspec.json import Encoder

from schemas.rows import UNRESOLVED, CartRow, FlagRow, OrderRow, SessionRow, SignalRow

VERSION_SHIFT = 20
"""A version holds the log's clock in its upper bits, so that versions grow across restarts."""


ENDED = 512
"""Carts that ended, kept of a partition: a few seconds' worth, until storage shows them."""


class Collector:
    """The ``Out`` of the visitor machine: rows by id, and the one counter of versions.

    The counter is max(last + 1, clock << 20): later rows win, whatever process wrote them.
    """

    def __init__(self, clock_ms: int = 0, version: int = 0) -> None:
        self.last_version = version
        self.move(clock_ms)
        self.ended: dict[str, CartRow] = {}
        self.sessions: dict[str, SessionRow] = {}
        self.carts: dict[str, CartRow] = {}
        self.orders: dict[tuple[str, str, str, str, str], OrderRow] = {}
        self.signals: dict[str, SignalRow] = {}
        self.flags: dict[tuple[str, str, str, str], FlagRow] = {}
        self._encode = Encoder().encode

    def move(self, clock_ms: int) -> None:
        """Set the log's clock, and with it the least version to come."""
        self.clock_ms = clock_ms
        self._least = clock_ms << VERSION_SHIFT

    def version(self) -> int:
        """Return a version greater than any before."""
        version = self.last_version + 1
        if version < self._least:  # noqa: PLR1730 - half the time of max(), and once a row
            version = self._least
        self.last_version = version
        return version

    def session(self, row: SessionRow) -> None:
        """Keep the row as its session's newest."""
        self.sessions[row.session_id] = row

    def cart(self, row: CartRow) -> None:
        """Keep the row as its episode's newest."""
        self.carts[row.cart_id] = row

    def order(self, row: OrderRow) -> None:
        """Keep the row as its order copy's newest."""
        key = (row.source, row.visitor_id, row.order_id, row.event_id, row.kind)
        self.orders[key] = row

    def signal(self, row: SignalRow) -> None:
        """Keep the row as its signal's newest, after all before it: streams resume by version."""
        self.signals.pop(row.signal_id, None)
        self.signals[row.signal_id] = row

    def flag(self, row: FlagRow) -> None:
        """Keep what is to be noted of an event."""
        self.flags[row.source, row.visitor_id, row.event_id, row.flag] = row

    def take(self) -> dict[str, list[bytes]]:
        """Return the rows gathered as JSON lines by table, and begin anew."""
        encode = self._encode
        if self.carts:
            self._remember_ended()
        rows = {
            "sessions": [encode(row) for row in self.sessions.values()],
            "carts": [encode(row) for row in self.carts.values()],
            "orders": [encode(row) for row in self.orders.values()],
            "signals": [encode(row) for row in self.signals.values()],
            "event_flags": [encode(row) for row in self.flags.values()],
        }
        self.clear()
        return {table: lines for table, lines in rows.items() if lines}

    def _remember_ended(self) -> None:
        """Keep the newest carts that ended: a visitor who is idle forgets them at once."""
        ended = self.ended
        for cart_id, row in self.carts.items():
            if row.outcome not in UNRESOLVED:
                ended.pop(cart_id, None)
                ended[cart_id] = row
        for oldest in list(islice(ended, max(0, len(ended) - ENDED))):
            del ended[oldest]

    def clear(self) -> None:
        """Forget the rows, not the counter."""
        self.sessions = {}
        self.carts = {}
        self.orders = {}
        self.signals = {}
        self.flags = {}
