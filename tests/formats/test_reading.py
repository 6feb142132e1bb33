"""A whole file: cut short it gives what it has, and of the wrong format it says what to try."""

import gzip
from pathlib import Path

import msgspec
import pytest

from schemas.refusal import shown
from services.common.errors import InvalidError
from services.formats.items import BadLine, Item
from services.formats.reading import hint, read_file
from tests.formats.test_files import HEADER, ROW

OURS = b'{"type":"page_view","visitor_id":"v","timestamp":"2026-11-01T10:00:00Z"}'
SEGMENT = b'{"type":"page","anonymousId":"v","timestamp":"2026-11-01T10:00:00Z"}'
OTTO = b'{"session":1,"events":[{"aid":1,"ts":1,"type":"clicks"}]}'
REES46 = HEADER + b"\n" + ROW
ARRAY = b"[" + OURS + b"]"
WRAPPED = b'{"from":"queue","payload":' + SEGMENT + b"}"


def write(folder: Path, text: bytes) -> Path:
    file = folder / "shop"
    file.write_bytes(text)
    return file


def test_a_file_cut_inside_its_compression_gives_what_it_has_and_a_rejection(
    tmp_path: Path,
) -> None:
    lines = [OURS.replace(b'"v"', b'"v%d"' % n) for n in range(20_000)]
    whole = gzip.compress(b"\n".join(lines))
    file = tmp_path / "cut.gz"
    file.write_bytes(whole[: len(whole) // 2])
    *taken, end = read_file(file, "waymark")
    assert all(isinstance(one, Item) for one in taken)
    assert isinstance(end, BadLine)
    assert end.line == len(taken) + 1 > 1_000
    assert "What stands before is taken; mend the file and send it again whole" in end.message


def test_a_file_without_its_header_is_refused_by_its_name_and_with_its_format(
    tmp_path: Path,
) -> None:
    with pytest.raises(InvalidError, match=r"file .*shop: .* found: .*; the file looks like .*ent"):
        list(read_file(write(tmp_path, SEGMENT), "rees46"))


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("waymark", SEGMENT, "looks like --format segment"),
        ("waymark", b'{"batch":[' + SEGMENT + b"]}", "looks like --format segment"),
        ("waymark", REES46, "looks like --format rees46"),
        ("waymark", OTTO, "looks like --format otto"),
        ("segment", OURS, "looks like --format waymark"),
        ("otto", REES46, "looks like --format rees46"),
        ("waymark", ARRAY, "one object a line: jq -c ."),
        ("segment", b'{\n"type":"page"\n}', "one object a line: jq -c ."),
        ("segment", WRAPPED, "jq -c .payload takes it out"),
        ("waymark", b'{"from":"queue","type":{"is":1}}', "stand within 'type'? jq -c .type"),
        ("segment", b'{"type":"page"}', "one of waymark, segment, rees46, otto"),
        ("waymark", b"a;b;c", "one of waymark, segment, rees46, otto"),
        ("waymark", OURS, ""),
        ("rees46", REES46, ""),
    ],
)
def test_the_head_of_a_file_tells_what_to_try(
    tmp_path: Path, form: str, text: bytes, said: str
) -> None:
    told = hint(write(tmp_path, text), form)
    assert said in told
    assert bool(told) == bool(said)


@pytest.mark.parametrize("name", ["$(touch x)", "a;b", "\x1b[2J", "größe", "a-b", "2", "", "a\n"])
def test_a_name_out_of_the_file_is_no_command_to_paste(tmp_path: Path, name: str) -> None:
    told = hint(write(tmp_path, msgspec.json.encode({name: {"type": "page"}})), "segment")
    assert f"does the event stand within {shown(name)}?" in told
    assert (told.isprintable(), "jq" in told) == (True, False)
