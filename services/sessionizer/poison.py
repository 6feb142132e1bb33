"""Records nobody can fold: told apart before the fold, kept as dead letters, and limited.

A foreign producer may write anything to the log. A record that cannot be folded goes to the
dead-letter topic, with its reason and position, in the transaction of its group; the partition goes
on. When most of what comes is poison, a deploy went wrong somewhere, and draining a whole topic
into dead letters would help nobody: then the worker stops. What was counted outlives it, so that
one that is started again and again does not drain the topic bit by bit either.
"""

import base64
from collections import deque

import msgspec
from msgspec import Struct

from schemas.ids import signal_id
from schemas.rows import DeadLetter
from services.common.errors import FatalError
from services.common.partitions import key_of, partition_of
from services.sessionizer.core.admission import Poison

MAX_BYTES = 4 << 20
"""Greatest record that is folded, unpacked; ingest's own are a fraction of it."""
KEPT_BYTES = 64 * 1024
"""So much of a poisoned original rides in its dead letter; its position tells the rest."""
WINDOW = 1_000
"""Newest records of a partition over which poison is counted, ticks left out."""
LEAST = 100
"""So many of them may be poison whatever their share."""


def unfit(value: bytes | None) -> str:
    """Return what keeps a record from being folded at all, empty where it can be tried."""
    if value is None:
        return "null value"
    if len(value) > MAX_BYTES:
        return f"record has {len(value)} bytes, {MAX_BYTES} are allowed"
    return ""


class Home:
    """Says of an address that it belongs to another partition; asked once while it is busy."""

    def __init__(self, number: int, partitions: int) -> None:
        """Stand in one partition of so many."""
        self._number = number
        self._partitions = partitions

    def __call__(self, source: str, address: str) -> str:
        """Return why nothing of an address can be folded here, empty where it can."""
        home = partition_of(key_of(source, address), self._partitions)
        return "" if home == self._number else f"wrong partition: its visitor belongs to {home}"


class Counted(Struct, array_like=True):
    """What a limit keeps: the newest offset counted, how many records, which of them are poison."""

    offset: int
    records: int
    bad: list[int]


class Limit:
    """Stops a partition of which too much is poison; ``share`` of 1 never stops it."""

    def __init__(
        self, share: float, kept: bytes = b"", window: int = WINDOW, least: int = LEAST
    ) -> None:
        """Allow this share of the newest records, and ``least`` of them in any case.

        Goes on from what ``changed`` gave to be kept.
        """
        self._share = share
        self._least = least
        counted = msgspec.msgpack.decode(kept, type=Counted) if kept else Counted(-1, 0, [])
        bad = set(counted.bad)
        self._newest = deque((place in bad for place in range(counted.records)), maxlen=window)
        self._offset = counted.offset
        self._bad = len(bad)
        self._kept = bool(kept)

    def changed(self, key: bytes) -> dict[bytes, bytes | None]:
        """Return what is to be kept under the key beside what was folded; nothing for no poison."""
        if not (self._bad or self._kept):
            return {}
        self._kept = self._bad > 0
        if not self._kept:
            return {key: None}
        bad = [place for place, one in enumerate(self._newest) if one]
        return {key: msgspec.msgpack.encode(Counted(self._offset, len(self._newest), bad))}

    def count(self, offset: int, *, bad: bool) -> None:
        """Count one record, unless it was counted before.

        Raises ``FatalError`` where the share is above what is allowed.
        """
        if offset <= self._offset:
            return
        self._offset = offset
        if len(self._newest) == self._newest.maxlen:
            self._bad -= self._newest[0]
        self._newest.append(bad)
        self._bad += bad
        share = self._bad / len(self._newest)
        if bad and self._bad > self._least and share > self._share:
            raise FatalError(
                f"{self._bad} of the newest {len(self._newest)} records cannot be folded, more "
                f"than WAYMARK_POISON_SHARE = {self._share}: see the dead letters, mend whoever "
                "writes them, or allow a greater share to drain them"
            )


def letter(topic: str, number: int, poison: Poison, received_ms: int) -> bytes:
    """Return the dead letter of a poison; read again, it makes the same letter."""
    original, note = poison.original, ""
    if len(original) > KEPT_BYTES:
        original, note = original[:KEPT_BYTES], f" (the first {KEPT_BYTES} bytes are kept)"
    try:
        text, encoded = original.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(original).decode(), True
    place = f"{topic}/{number}/{poison.offset}"
    return msgspec.json.encode(
        DeadLetter(
            id=signal_id("dead_letter", place, str(poison.line)),
            source="",
            received_ms=received_ms,
            code="unreadable",
            field="",
            message=poison.reason + note,
            original=text,
            base64=encoded,
            topic=topic,
            partition=number,
            offset=poison.offset,
        )
    )
