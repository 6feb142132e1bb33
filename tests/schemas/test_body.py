"""How a body is split into items, and which bodies are refused whole."""

import pytest

from schemas.body import split
from schemas.refusal import BodyRefusal


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b'[{"a":1},{"b":2}]', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n\n  \n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}\r', b'{"b":2}\r']),
        (b'{\n  "a": 1,\n  "b": {}\n}\n', [b'{\n  "a": 1,\n  "b": {}\n}\n']),
        (b'\xef\xbb\xbf{"a":1}', [b'{"a":1}']),
        (b'\xef\xbb\xbf [ {"a":1} ] ', [b'{"a":1}']),
        (b"[]", []),
    ],
)
def test_object_array_and_lines_are_split_alike(body: bytes, items: list[bytes]) -> None:
    assert split(body) == items


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (b'[{"a":1},{"b":NaN},{"c":3}]', [b'{"a":1}', b'{"b":NaN}', b'{"c":3}']),
        (b'[{"a":"],"},{"b":\\},{"c":3}]', [b'{"a":"],"}', b'{"b":\\}', b'{"c":3}']),
        (b'{"a":1}\n{"b":\n{"c":3}', [b'{"a":1}', b'{"b":', b'{"c":3}']),
        (b'{"a":\n{"b":2}', [b'{"a":', b'{"b":2}']),
        (b'[{"a":1}, 7, null, "x"]', [b'{"a":1}', b"7", b"null", b'"x"']),
    ],
)
def test_a_broken_item_leaves_the_others_whole(body: bytes, items: list[bytes]) -> None:
    assert split(body) == items


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body is empty"),
        (b" \n ", "body is empty"),
        (b'"text"', "body is no JSON object, array or newline-delimited JSON"),
        (b"a=1&b=2", "body is no JSON object, array or newline-delimited JSON"),
        (b'[{"a":1},{"b":', "JSON array is truncated after 1 items"),
        (b'[{"a":1}', "JSON array is truncated after 0 items"),
        (b'[{"a":1}] x', "JSON array is followed by other text at byte 9"),
    ],
)
def test_a_body_that_is_no_list_of_items_is_refused_whole(body: bytes, message: str) -> None:
    assert split(body) == BodyRefusal("invalid_body", message)


def test_half_a_megabyte_is_taken_and_one_byte_more_is_not() -> None:
    full = b'{"a":1}'.ljust(500 * 1024)
    assert split(full) == [full]
    assert split(full + b" ") == BodyRefusal(
        "too_large", "body has 512001 bytes, 512000 are allowed"
    )


def test_2500_items_are_taken_and_one_more_is_not() -> None:
    assert len(split(b"{}\n" * 2500)) == 2500  # type: ignore[arg-type]
    assert split(b"{}\n" * 2501) == BodyRefusal(
        "too_large", "body has 2501 events, 2500 are allowed"
    )
    assert split(b"[" + b",".join([b"{}"] * 2501) + b"]") == BodyRefusal(
        "too_large", "body has 2501 events, 2500 are allowed"
    )


def test_deep_nesting_breaks_no_parser() -> None:
    deep = b"[" * 5_000 + b"]" * 5_000
    assert split(b'[{"a":' + deep + b"}]") == [b'{"a":' + deep + b"}"]
    assert isinstance(split(b"[" * 100_000), BodyRefusal)
