"""Records of the log as columns: each line is one event, or none, however the record is read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.ports import LogRecord
from services.loader.event_columns import EventRows
from services.loader.event_rows import FIRST
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
