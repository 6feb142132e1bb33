"""Records of the log as columns: each line is one event, or none, however the record is read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import Event
from services.common.ports import LogRecord
from services.loader.event_columns import EventRows
from services.loader.event_rows import FIRST, EventRow, row_of
from tests.support.rows import rows_of_record

APPEND_MS = 1_790_000_000_000
GOOD = b'{"type":"page_view","event_id":"%d","source":"shop","visitor_id":"v","ts_ms":%d}'
LATER = GOOD % (5, APPEND_MS + 1)
BROKEN = b'{"type":"page_view","event_id":"e","source":"s","ts_ms":1,"unknown":"\xff"}'
TICK = b'{"type":"__tick"}'
ODD = (
    TICK, LATER, b"", b"null", b"[]", b"{}", b"\xff", b" " + GOOD % (6, 1), GOOD % (7, 1) + b" ",
    GOOD % (8, 1) + GOOD % (9, 1), b'{"type":', b'"page_view","source":"s","ts_ms":1}',
    b'{"type":"page_view","event_id":"\xff","source":"s","ts_ms":1}', BROKEN,
)  # fmt: skip

lines = st.lists(
    st.sampled_from(ODD) | st.builds(lambda at: GOOD % (at, at), st.integers(0, 99)),
    min_size=1,
    max_size=6,
)


def stored(rows: EventRows) -> list[bytes]:
    return list(rows)


def one_by_one(lines: list[bytes]) -> LogRecord:
    """Return a record that is not read at once: its last line, which is empty, is no object."""
    return LogRecord(1, APPEND_MS, b"\n".join([*lines, b""]))


@settings(deadline=None)
@given(lines=lines)
def test_a_record_gives_the_rows_that_its_lines_give_alone(lines: list[bytes]) -> None:
    together = stored(rows_of_record(LogRecord(1, APPEND_MS, b"\n".join(lines))))
    alone = [
        row.replace(b"%d" % (FIRST - (APPEND_MS << 20)), b"%d" % (FIRST - (APPEND_MS << 20) - at))
        for at, line in enumerate(lines)
        for row in stored(rows_of_record(one_by_one([line])))
    ]
    assert together == alone == stored(rows_of_record(one_by_one(lines)))


def said(row: bytes) -> dict[str, object]:
    """Return what a row holds; a column that is left out is empty."""
    columns = msgspec.json.decode(row, type=dict[str, object])
    return {
        name: one for name, one in columns.items() if one not in ("", None, []) and one is not False
    }


WHOLE: dict[str, Any] = {
    "type": "purchase", "event_id": "e", "source": "shop", "visitor_id": "v", "user_id": "u",
    "ts_ms": 5, "received_ms": 6, "name": "n", "origin": "server", "path": "/p",
    "page_kind": "cart", "channel": "email", "element": "#a", "x": 0.5, "y": 0.25,
    "scroll_depth": 1.0, "cart_id": "c", "order_id": "o", "value": 0, "currency": "EUR",
    "device": "tv", "browser": "b", "os": "s", "country": "DE", "bot": True, "test": True,
    "excluded": True, "products": [{"product_id": "p1"}, {"product_id": "p2", "category": "k"}],
    "survey": {"kind": "nps", "survey_id": "q", "score": 0.0},
    "perf": {"lcp_ms": 1.0, "inp_ms": 2.0, "cls": 0.5, "ttfb_ms": 3.0, "load_ms": 4.0},
}  # fmt: skip


@pytest.mark.parametrize("left_out", ["", "products", "survey", "perf", "visitor_id", "value"])
def test_columns_hold_what_the_row_of_an_import_does(left_out: str) -> None:
    known = {name: one for name, one in WHOLE.items() if name != left_out}
    event = msgspec.convert(known, Event)
    line = msgspec.json.encode(event)
    (row,) = stored(rows_of_record(LogRecord(1, APPEND_MS, line)))
    assert said(row) == said(row_of(event, APPEND_MS, 0))
    if not left_out:
        assert said(row).keys() == set(EventRow.__struct_fields__), "each column is looked at"


def test_a_line_that_is_no_utf_8_where_no_event_has_a_field_is_no_row() -> None:
    assert stored(rows_of_record(LogRecord(1, APPEND_MS, BROKEN))) == []
    beside = LogRecord(1, APPEND_MS, GOOD % (1, 1) + b"\n" + BROKEN)
    assert len(stored(rows_of_record(beside))) == 1


def test_an_event_over_two_lines_beside_two_in_one_is_no_row_but_the_others_are() -> None:
    whole = GOOD % (1, 1)
    torn = whole.replace(b":", b":\n", 1)
    body = b"\n".join([torn, whole + whole, whole])
    (row,) = stored(rows_of_record(LogRecord(1, APPEND_MS, body)))
    assert b'"version":%d' % (FIRST - (APPEND_MS << 20) - 3) in row
