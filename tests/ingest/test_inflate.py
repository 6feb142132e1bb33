import gzip
import os
import tracemalloc
import zlib

import pytest
from backports import zstd

from services.ingest.answers import RefusalError
from services.ingest.inflate import MAX_MEMBERS, Encoding, inflate, named_encoding

LIMIT = 500 * 1024
BODY = b'{"type":"page_view","visitor_id":"v1"}' * 40


def refused(body: bytes, encoding: Encoding, limit: int = LIMIT) -> str:
    with pytest.raises(RefusalError) as caught:
        inflate(body, encoding, limit)
    return caught.value.code


@pytest.mark.parametrize("encoding", ["gzip", "zstd", ""])
def test_what_was_compressed_comes_out_also_where_no_header_says_so(encoding: Encoding) -> None:
    if encoding in ("gzip", ""):
        assert inflate(gzip.compress(BODY), encoding, LIMIT) == BODY
    if encoding in ("zstd", ""):
        assert inflate(zstd.compress(BODY), encoding, LIMIT) == BODY
    assert inflate(BODY, "", LIMIT) == BODY


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_concatenated_members_are_one_body(encoding: Encoding) -> None:
    compress = gzip.compress if encoding == "gzip" else zstd.compress
    assert inflate(compress(BODY) + compress(b"") + compress(b"tail"), encoding, LIMIT) == (
        BODY + b"tail"
    )


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_cut_off_anywhere_is_refused(encoding: Encoding) -> None:
    whole = gzip.compress(BODY) if encoding == "gzip" else zstd.compress(BODY)
    for length in range(len(whole)):
        assert refused(whole[:length], encoding) == "invalid_body"
    assert refused(whole + whole[:-1], encoding) == "invalid_body"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_no_member_is_refused(encoding: Encoding) -> None:
    whole = gzip.compress(BODY) if encoding == "gzip" else zstd.compress(BODY)
    assert refused(BODY, encoding) == "invalid_body"
    assert refused(whole + b"garbage that is no member", encoding) == "invalid_body"
    assert refused(b"", encoding) == "invalid_body"


def test_a_wrong_checksum_is_refused() -> None:
    whole = bytearray(gzip.compress(BODY))
    whole[-6] ^= 0xFF
    assert refused(bytes(whole), "gzip") == "invalid_body"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_the_limit_itself_passes_and_one_byte_more_does_not(encoding: Encoding) -> None:
    compress = gzip.compress if encoding == "gzip" else zstd.compress
    exact = os.urandom(1000)
    assert inflate(compress(exact), encoding, 1000) == exact
    assert refused(compress(exact + b"x"), encoding, 1000) == "too_large"
    assert refused(compress(exact) + compress(b"x"), encoding, 1000) == "too_large"
    assert inflate(compress(exact) + compress(b""), encoding, 1000) == exact


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_costs_no_more_memory_than_the_limit(encoding: Encoding) -> None:
    bomb = _gzip_bomb() if encoding == "gzip" else zstd.compress(bytes(64 << 20))
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert refused(bomb, encoding) == "too_large"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * LIMIT


def _gzip_bomb() -> bytes:
    stream = zlib.compressobj(9, wbits=31)
    parts = [stream.compress(bytes(1 << 20)) for _ in range(64)]
    return b"".join([*parts, stream.flush()])


def test_a_zstd_window_beyond_what_http_allows_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    stream = zstd.ZstdCompressor(options=options)
    body = stream.compress(BODY) + stream.flush()
    assert refused(body, "zstd") == "invalid_body"


def test_endless_empty_members_are_refused() -> None:
    assert refused(gzip.compress(b"") * (MAX_MEMBERS + 1), "gzip") == "invalid_body"


@pytest.mark.parametrize(
    ("header", "encoding"),
    [("", ""), ("identity", ""), ("GZIP", "gzip"), ("x-gzip", "gzip"), (" zstd ", "zstd")],
)
def test_known_encodings_by_name(header: str, encoding: Encoding) -> None:
    assert named_encoding(header.encode()) == encoding


@pytest.mark.parametrize("header", ["br", "deflate", "gzip, gzip", "gzip\x00"])
def test_unknown_encodings_are_refused(header: str) -> None:
    with pytest.raises(RefusalError) as caught:
        named_encoding(header.encode())
    assert caught.value.code == "unsupported_media_type"
