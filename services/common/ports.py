"""The ports: what the shells offer to the parts, in one place.

For each port there is more than one backend (embedded, distributed, in memory for tests), and one
behaviour suite in ``tests/ports`` that every backend runs. A port never decides a number.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Protocol

from msgspec import Struct

from schemas.outgoing import Outgoing as Outgoing  # noqa: PLC0414 - a word of the ports
from schemas.rows import DeadLetter


class Clock(Protocol):
    """The only source of the wall clock; integer epoch milliseconds."""

    def now_ms(self) -> int:
        """Return the wall clock."""
        ...


class LogRecord(Struct, frozen=True, gc=False):
    """One record of the log: events as newline-delimited JSON, all of one partition.

    ``append_ms`` never decreases along a partition; ``offset`` strictly increases.
    """

    offset: int
    append_ms: int
    body: bytes


RECORD_BYTES = 512 * 1024
"""A record grows to about this size; larger ones would make the sessionizer's steps coarse."""


class Publisher(Protocol):
    """The writing end of the log."""

    async def publish(self, items: Sequence[Outgoing]) -> int:
        """Make the items durable, in order, and return their append time.

        Returns only when a crash can no longer lose them. Raises ``UnavailableError`` when the log
        cannot take them now (then none of them counts as published) and ``OverloadedError`` when
        too many bytes are in flight.
        """
        ...


class DeadLetters(Protocol):
    """Where refused items are kept with their original bytes."""

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Make the letters durable; one with an id already kept changes nothing.

        Returns only when a crash can no longer lose them: a refusal is part of what a client is
        told was taken. Raises ``UnavailableError`` when they cannot be kept now.
        """
        ...


class LogReader(Protocol):
    """The reading end of one partition of the log."""

    def read(self, after: int, limit_bytes: int) -> list[LogRecord]:
        """Return the next records with an offset greater than ``after``; empty where none is."""
        ...


class PartitionMeta(Struct, frozen=True):
    """Where a partition's fold stands, as of its applied record (DESIGN, *Effects*)."""

    applied: int = 0
    clock_ms: int = 0
    hold_until_ms: int = 0
    version: int = 0
    partitions: int = 1


META_SECONDS = 5.0
"""A commit that only moves the clock may wait so long: after a crash the ticks are read again."""


class Changes(Struct, frozen=True):
    """What one transaction of the sessionizer holds: all of it is stored, or none.

    ``states``: key (UTF-8 source, 0x1F, address) to encoded state, None where it is gone.
    ``rows``: table name to JSON lines. ``forwards``: links and orders for the log.
    """

    meta: PartitionMeta
    states: dict[bytes, bytes | None]
    rows: dict[str, list[bytes]]
    forwards: list[Outgoing]


class StateReader(Protocol):
    """What the fold needs to look up; ``deadlines`` feeds its timers at start."""

    def get(self, key: bytes) -> bytes | None:
        """Return the encoded state of a key."""
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Return every key with its encoded state."""
        ...


class Sink(Protocol):
    """Where rows end: one insert a table, repeats harmless by ids and versions."""

    def insert(self, table: str, lines: Sequence[bytes], token: str) -> None:
        """Insert JSON rows; a repeat with the same token within the process changes nothing."""
        ...


class Storage(Sink, Protocol):
    """The store of aggregates as commands and answers use it (ClickHouse by HTTP, or chDB)."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement with bound parameters and return its rows by column name."""
        ...

    def stream(self, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[bytes]:
        """Run one statement and yield its rows as JSON lines, without holding them all."""
        ...

    def command(self, sql: str, parameters: dict[str, Any] | None = None) -> None:
        """Run a statement that returns nothing."""
        ...


class LiveView(Protocol):
    """Answers of *now*: the fold of settled and waiting events, made on demand.

    All answers are plain JSON-able objects with the field names of the HTTP API. Raises
    ``MovingError`` where the partition has no owner right now, which HTTP tells as 503.
    """

    async def visitor(self, source: str, visitor_id: str) -> dict[str, Any] | None:
        """Return a visitor's live state, None for one never seen."""
        ...

    async def cart(self, source: str, visitor_id: str, cart_id: str) -> dict[str, Any] | None:
        """Return a visitor's cart as it stands now: CartRow's fields, money minor.

        None for one that the live view does not remember: then storage has its last word.
        """
        ...

    async def live_visitors(self, source: str) -> dict[str, int]:
        """Return visitors with an active event < 30 min before the log's clock, by stage."""
        ...

    async def open_carts(self, source: str) -> int:
        """Return how many cart episodes are open now."""
        ...

    async def clock_ms(self) -> int:
        """Return the log's clock."""
        ...

    async def signals(self, source: str) -> list[dict[str, Any]]:
        """Return the signals that waiting events alone have made: SignalRow's fields, money minor.

        They are not settled: an event that is still on its way may take one back.
        """
        ...


class SignalFeed(Protocol):
    """Signals as they are emitted, for the server-sent stream."""

    def subscribe(self) -> AsyncIterator[bytes]:
        """Yield each signal row's JSON line from now on, versions growing; cut off a slow reader.

        Whoever resumes reads from storage what the feed gave before, so rows reach storage in the
        same order.
        """
        ...


class Told(Struct, frozen=True, gc=False):
    """A signal row's JSON line, and the place from which a client that has it goes on."""

    place: str
    line: bytes


class SignalLog(Protocol):
    """Signals as a log of many partitions keeps them: each client reads from its own place.

    ``mark`` is what every place begins with.
    """

    mark: str

    def follow(self, after: str, since_ms: int | None) -> AsyncGenerator[Told]:
        """Yield the signals after a place, else those since a time, else from now on.

        The first has an empty line: it tells where the client stands.
        """
        ...

    def close(self) -> None:
        """End every client's stream."""
        ...


class Forget(Protocol):
    """Erasure of a person everywhere: log, states, storage."""

    async def forget(
        self, source: str, *, visitor_id: str = "", user_id: str = ""
    ) -> dict[str, Any]:
        """Erase one visitor, or one user with what is linked to it; return what went, by place."""
        ...


class Hop(Struct, frozen=True):
    """One step of the pipeline: what it still has before it, and how old the oldest of that is.

    ``lag`` counts ``unit`` (records, rows); None where it cannot be known now. ``trouble`` says why
    the hop does not work now, ``note`` what an operator should know while it does.
    """

    name: str
    lag: int | None
    age_ms: int | None
    unit: str = "records"
    trouble: str = ""
    note: str = ""


class PipelineHealth(Protocol):
    """How the pipeline stands, hop by hop, from the log to storage."""

    async def hops(self) -> list[Hop]:
        """Return the hops in the order events take; ``trouble`` says what is wrong, if anything."""
        ...


Progress = Callable[[int, int | None, str], None]
"""Told by long work: how much is done, of how much (None: unknown), and of what."""


def nothing(_done: int, _of: int | None, _what: str) -> None:
    """Report progress to nobody."""
