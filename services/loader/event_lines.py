"""The lines of a record of the log, and the events they are."""

from collections.abc import Sequence

import msgspec

from schemas.event import Event
from services.common.ports import LogRecord
from services.loader.event_rows import LAST_PLACE, is_row

_event = msgspec.json.Decoder(Event)
_events = _event.decode_lines


def lines_of(body: bytes) -> list[str]:
    """Return a record's lines as text; one that is no UTF-8 is empty, and so no event."""
    try:
        return body.decode().split("\n")
    except UnicodeDecodeError:
        return [_text(line) for line in body.split(b"\n")]


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return ""


def plain(record: LogRecord, lines: Sequence[str]) -> Sequence[Event]:
    """Return a record's events, one a line, where each is a row as it stands; else none.

    Nearly every record is such; read at once it costs a tenth less than line by line. No event runs
    over a line's end where each line but the last ends an object and the next begins one: within an
    object, none follows another without a comma. A line without text is none, though a field that
    no event has may be no UTF-8 for all the decoder cares: it skips such fields unread.
    """
    body = record.body
    if body[:1] != b"{" or body[-1:] != b"}" or body.count(b"}\n{") != len(lines) - 1:
        return ()
    try:
        events = _events(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    as_they_stand = (
        len(events) == len(lines) <= LAST_PLACE
        and all(lines)
        and all(map(is_row, events))
        and max(event.ts_ms for event in events) <= record.append_ms
    )
    return events if as_they_stand else ()


def read(line: str) -> Event | None:
    """Return the event that a line is, or None."""
    if not line:
        return None
    try:
        return _event.decode(line)
    except msgspec.MsgspecError:
        return None
