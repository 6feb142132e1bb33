"""Where the rules put what they emit: the one thing they know of the outside."""

from typing import Protocol

from schemas.rows import CartRow, OrderRow, SessionRow, SignalRow


class Versions(Protocol):
    """Numbers rows, so that the newest statement of an id wins.

    ``version()`` returns a number greater than any it returned before.
    """

    def version(self) -> int:
        """Return the version for the next row."""
        ...


class Out(Versions, Protocol):
    """Takes rows as they come about, in the order in which they come about.

    ``clock_ms`` is the log's own clock (a signal's ``emitted_ms``).
    """

    clock_ms: int

    def session(self, row: SessionRow) -> None:
        """Take a session as it stands."""
        ...

    def cart(self, row: CartRow) -> None:
        """Take a cart episode as it stands."""
        ...

    def order(self, row: OrderRow) -> None:
        """Take a copy of an order, a refund or a cancel."""
        ...

    def signal(self, row: SignalRow) -> None:
        """Take a signal, or its retraction."""
        ...
