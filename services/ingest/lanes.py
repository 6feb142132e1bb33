"""What waits for one partition, and what is on its way to it: the order of the log.

A lane has one batch on its way at most; what comes meanwhile gathers and goes as the next. So the
events of a visitor reach the log in the order in which they were published, also where a batch is
sent again, and many requests share a record.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from services.common.errors import RetryableError

Build = Callable[[list["Share"]], list[bytes]]
"""Makes the values of the records of one batch."""


class Request:
    """One ``publish`` or ``keep``: done when all its shares are, failed with the first that is."""

    __slots__ = ("_left", "_stamp", "born", "future")

    def __init__(self, future: asyncio.Future[int], shares: int, born: float) -> None:
        """Wait for so many shares; ``born`` is the loop's time."""
        self.future = future
        self.born = born
        self._left = shares
        self._stamp = 0

    def landed(self, append_ms: int) -> None:
        """Note that the brokers have one share."""
        self._left -= 1
        self._stamp = max(self._stamp, append_ms)
        if not self._left and not self.future.done():
            self.future.set_result(self._stamp)

    def fail(self, error: RetryableError) -> None:
        """Tell whoever waits, if anyone still does."""
        if not self.future.done():
            self.future.set_exception(error)


class Share:
    """The lines of one request for one lane; ticks have no request."""

    __slots__ = ("lines", "request", "size")

    def __init__(self, lines: list[bytes], request: Request | None) -> None:
        """Hold the lines; their size is what they will take in a record."""
        self.lines = lines
        self.request = request
        self.size = sum(map(len, lines)) + len(lines)


class Lane:
    """The queue of one partition of a topic. ``build`` makes records of shares."""

    __slots__ = (
        "build", "flying", "leader", "partition", "sent_at", "topic", "waiting", "written_at",
    )  # fmt: skip

    def __init__(self, topic: str, partition: int, build: Build) -> None:
        """Start empty."""
        self.topic = topic
        self.partition = partition
        self.build = build
        self.leader: int | None = None
        """The broker that its batch went to, or would go to; None where none is known."""
        self.waiting: deque[Share] = deque()
        self.flying: list[Share] = []
        self.sent_at = 0.0
        self.written_at = 0.0

    def take(self, most: int, now: float) -> list[Share]:
        """Move what goes next, at least one share and at most so many bytes, on its way."""
        size = 0
        while self.waiting and (not self.flying or size + self.waiting[0].size <= most):
            share = self.waiting.popleft()
            size += share.size
            self.flying.append(share)
        self.sent_at = now
        return self.flying

    def land(self, now: float) -> list[Share]:
        """Return what was on its way; the next may go."""
        landed, self.flying = self.flying, []
        self.written_at = now
        return landed

    def away_for(self, now: float) -> float:
        """Return how long the batch on its way has been unanswered, in seconds."""
        return now - self.sent_at if self.flying else 0.0

    def waits_for(self, now: float) -> float:
        """Return how long the oldest request has waited for its turn, in seconds."""
        if not self.waiting or self.waiting[0].request is None:
            return 0.0
        return now - self.waiting[0].request.born

    def quiet(self, now: float, seconds: float) -> bool:
        """Tell whether nothing was written for so long and nothing is about to be."""
        return not (self.flying or self.waiting) and now - self.written_at >= seconds

    def give_up(self, born_before: float, error: Callable[[], RetryableError]) -> int:
        """Fail requests that are too old; return the bytes of those that were never sent.

        What is on its way cannot be taken back and may yet arrive: a known repeat then.
        """
        for share in self.flying:
            if share.request and share.request.born < born_before:
                share.request.fail(error())
        freed = 0
        while self.waiting:
            request = self.waiting[0].request
            if request and request.born >= born_before:
                break
            freed += self.waiting.popleft().size
            if request:
                request.fail(error())
        return freed


def one_record(shares: list[Share]) -> list[bytes]:
    """Return one value: all lines as newline-delimited JSON."""
    return [b"\n".join([line for share in shares for line in share.lines])]


def record_a_line(shares: list[Share]) -> list[bytes]:
    """Return a value for each line."""
    return [line for share in shares for line in share.lines]
