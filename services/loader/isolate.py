"""Inserts that one bad row cannot hold up: it is found by halving and kept as a dead letter."""

import hashlib
from collections.abc import Sequence

import msgspec

from schemas.rows import DeadLetter
from services.common.errors import FatalError, InvalidError
from services.common.ports import Sink

MAX_REFUSED = 100
"""More refused rows in one batch are no bad rows but a bad table: stop rather than lose them."""
DEAD_LETTERS = "dead_letters"


def insert_isolated(sink: Sink, table: str, lines: Sequence[bytes], token: str) -> list[bytes]:
    """Insert rows, and those that storage refuses for good as dead letters; return the refused.

    Raises ``FatalError`` where storage refuses more than 100 of them, or a dead letter.
    """
    refused: list[tuple[bytes, InvalidError]] = []
    _insert(sink, table, lines, token, refused)
    if refused:
        letters = [_letter(table, line, error) for line, error in refused]
        try:
            sink.insert(DEAD_LETTERS, letters, f"{token}-refused")
        except InvalidError as error:
            raise FatalError(f"storage refuses dead letters: {error}") from error
    return [line for line, _ in refused]


def _insert(
    sink: Sink,
    table: str,
    lines: Sequence[bytes],
    token: str,
    refused: list[tuple[bytes, InvalidError]],
) -> None:
    try:
        sink.insert(table, lines, token)
    except InvalidError as error:
        if len(lines) == 1:
            _refuse(table, lines[0], error, refused)
            return
        half = len(lines) // 2
        _insert(sink, table, lines[:half], f"{token}.0", refused)
        _insert(sink, table, lines[half:], f"{token}.1", refused)


def _refuse(
    table: str, line: bytes, error: InvalidError, refused: list[tuple[bytes, InvalidError]]
) -> None:
    refused.append((line, error))
    if table == DEAD_LETTERS or len(refused) > MAX_REFUSED:
        raise FatalError(f"storage refuses rows of {table}: {error}") from error


def _letter(table: str, line: bytes, error: InvalidError) -> bytes:
    """Return a refused row's letter; the same row always makes the same."""
    row = msgspec.json.decode(line, type=dict[str, object])
    letter = DeadLetter(
        id=hashlib.sha256(table.encode() + b"\0" + line).hexdigest()[:32],
        source=str(row.get("source", "")),
        received_ms=int(str(row.get("received_ms") or row.get("at_ms") or 0)),
        code="storage_refused",
        field="",
        message=f"{table}: {error}"[:500],
        original=line.decode(),
        event_id=str(row.get("event_id", "")),
        topic=table,
    )
    return msgspec.json.encode(letter)
