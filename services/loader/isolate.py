"""Inserts that one bad row cannot hold up: it is found by halving and kept as a dead letter."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

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
    row, original = _row(line), _original(line)
    letter = DeadLetter(
        id=hashlib.sha256(table.encode() + b"\0" + line).hexdigest()[:32],
        source=str(row.get("source", "")),
        received_ms=_time(row),
        code="storage_refused",
        field="",
        message=f"{table}: {error}"[:500],
        **original,
        event_id=str(row.get("event_id", "")),
        topic=table,
    )
    return msgspec.json.encode(letter)


def _row(line: bytes) -> dict[str, object]:
    """Return what of a refused row can be read: nothing, where it is no JSON object."""
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _original(line: bytes) -> dict[str, Any]:
    try:
        return {"original": line.decode()}
    except UnicodeDecodeError:
        return {"original": base64.b64encode(line).decode(), "base64": True}


def _time(row: dict[str, object]) -> int:
    found = row.get("received_ms") or row.get("at_ms")
    return found if isinstance(found, int) else 0
