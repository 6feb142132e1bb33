"""A canonical event on its way to the log: what normalisation makes and the log takes."""

from msgspec import Struct


class Outgoing(Struct, frozen=True, gc=False):
    """One canonical event on its way to the log: its address and its JSON line, no newline."""

    source: str
    address: str
    line: bytes
