"""Waymark's own form: newline-delimited JSON, one event of the ingest API's input form a line."""

from collections.abc import Iterable

import msgspec

from services.formats.items import BadLine, Item, Line, Read

_DECODER = msgspec.json.Decoder(dict[str, object])


def read(lines: Iterable[Line]) -> Read:
    """Yield an item a line; an event without a time is rejected, for a file has no "now"."""
    for number, raw in lines:
        if not raw.strip():
            continue
        try:
            item = _DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadLine(number, "", f"not a JSON object: {error}", raw)
            continue
        if item.get("timestamp") is None and item.get("ts_ms") is None:
            yield BadLine(number, "timestamp", "timestamp is missing: a file has no now", raw)
            continue
        yield Item(number, item)
