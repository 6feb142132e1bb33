"""Files: the public data sets as they come, compression by extension, and clear refusals."""

import errno
import gzip
import sys
from collections import Counter
from pathlib import Path

import pytest

from services.common.errors import InvalidError
from services.formats.files import CutError, read_lines
from services.formats.items import BadLine, Item, OtherFormatError
from services.formats.registry import FORMATS, format_named

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"\xef\xbb\xbfone\r\ntwo\n\nfour"
HEADER = (
    b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
)
ROW = b"2019-10-01 00:02:14 UTC,purchase,1004856,205301355,electronics.phone,lg,130.76,5438,aa"
OTTO_LONG = b'{"session":1,"events":[{"aid":1,"ts":1,"type":"%b"}]}' % (b"x" * 9_999)
LINES = [(1, b"one"), (2, b"two"), (3, b""), (4, b"four")]


def test_compression_follows_the_extension(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]))
    (tmp_path / "a.zst").write_bytes(zstd.compress(TEXT[:5]) + zstd.compress(TEXT[5:]))
    for name in ("a.txt", "a.gz", "a.zst"):
        assert list(read_lines(tmp_path / name)) == LINES


def test_a_file_cut_inside_its_compression_is_named_with_its_last_whole_line(
    tmp_path: Path,
) -> None:
    whole = gzip.compress(b"".join(b"line %d\n" % n for n in range(20_000)))
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CutError, match=r"cut\.gz, line \d{3,}: the file ends inside"):
        list(read_lines(tmp_path / "cut.gz"))


def test_a_report_that_fails_is_no_damage_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"line\n" * 2_000)

    def gone(_: int) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        list(read_lines(tmp_path / "a.txt", gone))


@pytest.mark.parametrize(("name", "kind"), [("a.gz", "gzip"), ("a.zst", "zstd")])
def test_a_file_that_is_not_compressed_as_its_name_says_is_told_so(
    tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / name).write_bytes(TEXT)
    with pytest.raises(InvalidError, match=rf"{name} is no {kind} file: rename it without \."):
        list(read_lines(tmp_path / name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match=r"none\.csv"):
        list(read_lines(tmp_path / "none.csv"))


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InvalidError, match="format = 'xml' is none of waymark, segment"):
        format_named("xml")


def test_rees46_gives_every_row_and_rejects_the_cut_last_one(test_data: Path) -> None:
    read = list(FORMATS["rees46"](read_lines(test_data / "rees46-2019-oct.csv.gz")))
    kinds = Counter(str(item.item["type"]) for item in read if isinstance(item, Item))
    assert kinds == {"product_view": 17_055, "cart_add": 165, "purchase": 214}
    (bad,) = [item for item in read if isinstance(item, BadLine)]
    assert (bad.line, bad.message) == (17_436, "8 columns of 9")


def test_a_rees46_purchase_is_an_order_with_its_price_as_value() -> None:
    (item,) = FORMATS["rees46"]([(1, HEADER), (2, ROW)])
    assert isinstance(item, Item)
    assert item.item == {
        "type": "purchase",
        "visitor_id": "5438",
        "timestamp": "2019-10-01T00:02:14Z",
        "products": [{"product_id": "1004856", "category": "electronics.phone", "price": "130.76"}],
        "properties": {"brand": "lg", "category_id": "205301355", "user_session": "aa"},
        "value": "130.76",
    }


def test_a_rees46_row_is_read_by_the_names_of_its_columns() -> None:
    moved = [
        b",".join(reversed([*row.split(b","), extra]))
        for row, extra in ((HEADER, b"city"), (ROW, b"Pune"))
    ]
    (item,) = FORMATS["rees46"]([(1, b""), (2, moved[0]), (3, moved[1])])
    (as_published,) = FORMATS["rees46"]([(1, HEADER), (3, ROW)])
    assert item == as_published


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.replace(b"event_time", b"time"), "missing or twice: event_time; found: 'time, ev"),
        (HEADER.replace(b"brand", b"price"), "missing or twice: brand, price; found: "),
        (ROW, "missing or twice: event_time, event_type, product_id, "),
        (b"\xff", "no CSV row of UTF-8 text"),
    ],
)
def test_a_rees46_file_without_its_header_is_refused(header: bytes, said: str) -> None:
    with pytest.raises(OtherFormatError) as refusal:
        list(FORMATS["rees46"]([(1, header), (2, ROW)]))
    assert said in str(refusal.value)


def test_otto_gives_every_event_of_every_history(test_data: Path) -> None:
    read = list(FORMATS["otto"](read_lines(test_data / "otto-sample.jsonl")))
    assert len(read) == 862
    assert all(isinstance(item, Item) for item in read)


@pytest.mark.parametrize(
    ("form", "line", "said"),
    [
        ("rees46", b"2019-10-01 00:00:00 UTC,look,1,2,,x,1.0,3,4", "event_type = 'look' is none"),
        ("rees46", b"\xff,view,1,2,,x,1.0,3,4", "not a CSV row of UTF-8 text"),
        ("otto", b'{"session":1,"events":[{"aid":1,"ts":1,"type":"buys"}]}', "type = 'buys'"),
        ("otto", b'{"session":"x"}', "not an OTTO history"),
        ("rees46", ROW.replace(b"purchase", b"x" * 9_999), "xx…' is none of view"),
        ("otto", OTTO_LONG, "xx…' is none of clicks"),
        ("waymark", b'{"type":"click","visitor_id":"v"}', "timestamp is missing"),
        ("waymark", b"[1]", "not a JSON object"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(form: str, line: bytes, said: str) -> None:
    header = [(1, HEADER)] if form == "rees46" else []
    (bad,) = FORMATS[form]([*header, (2, line)])
    assert isinstance(bad, BadLine)
    assert said in bad.message
    assert bad.original == line
