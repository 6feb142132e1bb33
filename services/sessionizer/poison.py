"""Records nobody can fold: told apart before the fold, kept as dead letters, and limited.

A foreign producer may write anything to the log. A record that cannot be folded goes to the
dead-letter topic, with its reason and position, in the transaction of its group; the partition goes
on. When most of what comes is poison, a deploy went wrong somewhere, and draining a whole topic
into dead letters would help nobody: then the worker stops.
"""

import base64
from collections import deque

import msgspec

from schemas.event import Event, address_of
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

_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Screen:
    """Says of a record what keeps it from being folded at all."""

    def __init__(self, number: int, partitions: int) -> None:
        """Screen the records of one partition of so many."""
        self._number = number
        self._partitions = partitions
        self._decoder = msgspec.json.Decoder(Event)

    def reason(self, value: bytes | None) -> str:
        """Return why the record cannot be folded, empty where it can be tried.

        The first event speaks for its record: all of a record's events are of one partition.
        """
        if value is None:
            return "null value"
        if len(value) > MAX_BYTES:
            return f"record has {len(value)} bytes, {MAX_BYTES} are allowed"
        try:
            event = self._decoder.decode(value.partition(b"\n")[0])
        except _BAD:
            return ""  # the fold says of each line what is wrong with it
        address = address_of(event)
        if not address or event.type == "__tick":
            return ""
        home = partition_of(key_of(event.source, address), self._partitions)
        return "" if home == self._number else f"wrong partition: its visitor belongs to {home}"


class Limit:
    """Stops a partition of which too much is poison; ``share`` of 1 never stops it."""

    def __init__(self, share: float, window: int = WINDOW, least: int = LEAST) -> None:
        """Allow this share of the newest records, and ``least`` of them in any case."""
        self._share = share
        self._least = least
        self._newest: deque[bool] = deque(maxlen=window)
        self._bad = 0

    def count(self, bad: bool) -> None:  # noqa: FBT001 - the one thing that is counted
        """Count one record. Raises ``FatalError`` where the share is above what is allowed."""
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
