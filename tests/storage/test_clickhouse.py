"""The storage port on the embedded engine: every row type inserts, repeats change nothing."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import msgspec
import pytest

from schemas.event import Event, Perf, Product, Survey
from schemas.rows import (
    CartRow,
    DeadLetter,
    FlagRow,
    OrderRow,
    PageVisit,
    SessionRow,
    SignalRow,
)
from services.common.clickhouse import ClickHouse, open_storage
from services.common.errors import InvalidError, UnavailableError
from services.common.ports import LogRecord
from services.loader.event_columns import EventRows
from services.loader.event_rows import row_of
from services.loader.migrate import migrate
from tests.support.rows import rows_of_record

T = 1_760_000_000_000
ID = "00000000-0000-0000-0000-00000000000{}"
LINE = Product("p1", "Mug", "kitchen", 1299, 1, "https://x/p1", "https://x/p1.jpg")
encode = msgspec.json.encode

SESSION = SessionRow(
    source="shop",
    visitor_id="v1",
    session_id=ID.format(1),
    started_ms=T,
    ended_ms=T + 5,
    reached=["discovery"],
    variants={"button": "green"},
    pages=[PageVisit("/a", "home", "", T, None), PageVisit("/b", "product", "mugs", T + 5, 7)],
)
ROWS = {
    "sessions": SESSION,
    "carts": CartRow(
        source="shop",
        visitor_id="v1",
        cart_id=ID.format(2),
        session_id=ID.format(1),
        opened_ms=T,
        last_activity_ms=T,
        lines=[LINE],
    ),
    "orders": OrderRow(
        source="shop", visitor_id="v1", order_id="o1", event_id="e1", at_ms=T, lines=[LINE]
    ),
    "signals": SignalRow(
        source="shop",
        visitor_id="v1",
        signal_id=ID.format(3),
        kind="bounce",
        at_ms=T,
        emitted_ms=T,
        details={"lcp_ms": "4100"},
    ),
    "event_flags": FlagRow(source="shop", visitor_id="v1", event_id="e1", ts_ms=T, flag="late"),
    "dead_letters": DeadLetter(
        id="d1",
        source="shop",
        received_ms=T,
        code="too_old",
        field="ts_ms",
        message="too old",
        original='{"a":"\\n"}',
    ),
}


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, database="test_clickhouse")
    migrate(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize("table", ROWS)
def test_a_row_comes_back_as_it_went_in(storage: ClickHouse, table: str) -> None:
    row = ROWS[table]
    storage.insert(table, [encode(row)], f"{table}-1")
    (found,) = storage.query(f"SELECT * FROM {table} FINAL")
    for name, value in msgspec.to_builtins(row).items():
        assert found[name] == value, name


def test_migrating_again_applies_nothing(storage: ClickHouse) -> None:
    assert migrate(storage) == []


def test_a_repeat_with_the_same_token_changes_nothing(storage: ClickHouse) -> None:
    line = encode(msgspec.structs.replace(SESSION, session_id=ID.format(4), source="twice"))
    for _ in range(2):
        storage.insert("sessions", [line], "token-4")
    counted = storage.query("SELECT count() AS n FROM sessions WHERE source = 'twice'")
    assert counted == [{"n": 1}]


def test_the_newest_version_is_the_truth_and_deleted_takes_it_back(storage: ClickHouse) -> None:
    base = msgspec.structs.replace(SESSION, session_id=ID.format(5), source="versions")
    for version, views, deleted in ((2, 7, False), (1, 3, False), (3, 0, True)):
        row = msgspec.structs.replace(base, version=version, page_views=views, deleted=deleted)
        storage.insert("sessions", [encode(row)], f"v{version}")
        found = storage.query("SELECT page_views FROM sessions FINAL WHERE source = 'versions'")
        assert found == ([] if deleted else [{"page_views": 7}])


def test_threads_share_one_storage(storage: ClickHouse) -> None:
    seen: list[int] = []

    def ask() -> None:
        for number in range(10):
            (row,) = storage.query("SELECT {n:Int64} + sleep(0.001) AS n", {"n": number})
            seen.append(row["n"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted(list(range(10)) * 8)


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", "tab\there", "line\nbreak", "{x:Int8}", "ü\u202e", '"']
)
def test_bound_values_arrive_as_they_are(storage: ClickHouse, text: str) -> None:
    both = {"one": text, "many": [text, ""]}
    found = storage.query("SELECT {one:String} AS one, {many:Array(String)} AS many", both)
    assert found == [both]


def test_a_stream_yields_rows_one_by_one(storage: ClickHouse) -> None:
    lines = list(storage.stream("SELECT number FROM numbers(300000)"))
    assert len(lines) == 300_000
    assert msgspec.json.decode(lines[-1]) == {"number": 299_999}


def test_a_broken_statement_is_told_with_its_text(storage: ClickHouse) -> None:
    with pytest.raises(InvalidError, match="SELECT nonsense"):
        storage.query("SELECT nonsense")


def test_an_address_of_another_kind_is_refused_by_value() -> None:
    with pytest.raises(InvalidError, match="mysql://x"):
        open_storage("mysql://x")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1"):
        open_storage("http://127.0.0.1:1/db")


def test_a_second_process_is_told_plainly(storage: ClickHouse, chdb_dsn: str) -> None:
    code = f"from services.common.clickhouse import open_storage; open_storage({chdb_dsn!r})"
    second = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert second.returncode != 0
    assert "UnavailableError" in second.stderr
    assert "another process has it open" in second.stderr


def test_records_become_event_rows(storage: ClickHouse) -> None:
    kept = Event(
        type="page_view",
        event_id="e1",
        source="log",
        visitor_id="v1",
        ts_ms=T + 99,
        page_kind="home",
        path="/ü",
        perf=Perf(lcp_ms=1200.5),
        products=[LINE],
    )
    lines = [
        encode(kept),
        encode(Event(type="__tick", source="log")),
        encode(Event(type="__link", source="log", visitor_id="v1", ts_ms=T, to="cart:c")),
        encode(msgspec.structs.replace(kept, type="purchase", event_id="e2", to="v2")),
        b"no event",
        encode(
            Event(type="purchase", event_id="e3", source="log", order_id="o", cart_id="c", ts_ms=T)
        ),
    ]
    record = LogRecord(offset=1, append_ms=T + 50, body=b"\n".join(lines))
    rows = list(rows_of_record(record))
    storage.insert("events", rows, "record-1")
    found = storage.query("SELECT * FROM events FINAL WHERE source = 'log' ORDER BY event_id")
    assert [(row["event_id"], row["address"]) for row in found] == [("e1", "v1"), ("e3", "cart:c")]
    first = found[0]
    assert (first["ts_ms"], first["lcp_ms"], first["category"]) == (T + 50, 1200.5, "kitchen")
    stored = msgspec.json.decode(first["body"], type=Event)
    assert stored == msgspec.structs.replace(kept, ts_ms=T + 50)


def test_columns_hold_what_json_lines_hold(storage: ClickHouse) -> None:
    plain = Event(type="click", event_id="a", source="shape", visitor_id="v", ts_ms=T)
    events = [
        plain,
        msgspec.structs.replace(
            plain,
            type="survey_response",
            event_id="b",
            user_id="ü",
            x=0.0,
            y=0.5,
            value=0,
            bot=True,
            survey=Survey("nps", "s1", 9),
            perf=Perf(cls=0.0, load_ms=7.5),
            products=[LINE, Product("p2")],
        ),
        Event(type="purchase", event_id="c", source="shape", order_id="o", ts_ms=T, value=-3),
    ]
    rows = EventRows()
    for place, event in enumerate(events):
        rows.add(LogRecord(offset=place, append_ms=T + 5, body=encode(event)))
    lines = [row_of(event, T + 5, 0) for event in events]
    ask = "SELECT * EXCEPT (body) FROM events FINAL WHERE source = 'shape' ORDER BY event_id"
    storage.insert("events", lines, "lines")
    told = storage.query(ask)
    storage.command("DELETE FROM events WHERE source = 'shape'")
    assert storage.query(ask) == []
    storage.insert("events", rows, "columns")
    assert storage.query(ask) == told
    assert [row["event_id"] for row in told] == ["a", "b", "c"]
    assert rows.times_before(T) == {}
    assert rows.times_before(T + 1) == {"shape": {T}}


def test_a_foreign_line_sets_no_column_that_is_ours() -> None:
    """Also a line that is no UTF-8, or has a number no column holds, stops nothing."""
    line = encode(Event(type="click", event_id="a", source="s", visitor_id="v", ts_ms=T))
    foreign = line[:-1] + b',"version":"9","deleted":1,"append_ms":1,"address":"w","body":"x"}'
    wide = line[:-1] + b',"value":99999999999999999999999}'
    rows = rows_of_record(LogRecord(1, T, b"\n".join([foreign, b'{"type":"\xff"}', wide])))
    first, odd = (msgspec.json.decode(row) for row in rows)
    assert (first["version"], first["append_ms"]) == ((1 << 63) - (T << 20), T)
    assert (first["address"], first["body"]) == ("v", foreign.decode())
    assert "deleted" not in first
    assert odd["body"] == wide.decode()
    with pytest.raises(InvalidError, match="too large"):
        rows.arrow()


def test_of_two_copies_the_one_received_first_stays(storage: ClickHouse) -> None:
    event = Event(type="click", event_id="e1", source="copies", visitor_id="v", ts_ms=T)
    for append_ms, element in ((T + 9, "second"), (T + 3, "first"), (T + 20, "third")):
        body = encode(msgspec.structs.replace(event, element=element))
        rows = list(rows_of_record(LogRecord(offset=1, append_ms=append_ms, body=body)))
        storage.insert("events", rows, element)
    found = storage.query("SELECT element FROM events FINAL WHERE source = 'copies'")
    assert found == [{"element": "first"}]
