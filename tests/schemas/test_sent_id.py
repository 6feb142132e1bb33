"""The id its sender gives an event: its names, and that a refused item is told by it."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.event import Event
from schemas.generate import schema_of
from schemas.identity import NO_IDS
from schemas.normalise import normalise
from schemas.refusal import Refusal
from schemas.sent_id import ALIASES, read_id
from tests.schemas.conftest import context

Accept = Callable[..., Event]
Refuse = Callable[..., Refusal]
BASE = {"type": "click", "visitor_id": "v-1"}
NAMES = ("event_id", *ALIASES)


@pytest.mark.parametrize("name", NAMES)
def test_each_name_of_an_id_is_the_events(name: str) -> None:
    ctx = context()
    found = [normalise(json.dumps(BASE | {name: " CID "}).encode(), ctx) for _ in range(2)]
    assert [event.event_id for event in found] == ["CID", "CID"]
    assert [event.properties for event in found if isinstance(event, Event)] == [{}, {}]
    assert ctx.tally.warnings == []


def test_the_first_that_is_an_id_counts_and_others_are_kept(accept: Accept) -> None:
    event = accept(BASE | {"eid": "4", "uuid": "3", "messageId": "undefined", "event_id": None})
    assert event.event_id == "3"
    assert event.properties == {"eid": "4", "messageId": "undefined"}
    event = accept(BASE | {"messageId": "2", "event_id": "1"})
    assert (event.event_id, event.properties) == ("1", {"messageId": "2"})


def test_an_id_alone_is_a_products_and_beside_a_specversion_the_events(accept: Accept) -> None:
    for sent in (17, "sku-1"):
        event = accept(BASE | {"id": sent})
        assert (event.event_id, event.properties) == ("random-1", {"id": sent})
    event = accept(BASE | {"specversion": "1.0", "id": "A234"})
    assert (event.event_id, event.properties) == ("A234", {"specversion": "1.0"})


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (17, "messageId: expected str, got 17"),
        (["m"], 'messageId: expected str, got ["m"]'),
        ("m" * 201, "messageId: expected str of length <= 200"),
        ("a\x1fb", "messageId holds a control character"),
    ],
)
def test_an_id_that_is_none_is_refused_by_its_own_name(
    refuse: Refuse, sent: object, part: str
) -> None:
    refusal = refuse(BASE | {"messageId": sent})
    assert (refusal.code, refusal.field) == ("invalid_field", "messageId")
    assert refusal.message.startswith(part)


def test_the_schema_of_what_is_sent_knows_each_name() -> None:
    schema = schema_of("event_input")
    for name in ALIASES:
        jsonschema.validate(BASE | {name: "m-1"}, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(BASE | {name: 17}, schema)


@pytest.mark.parametrize(
    ("code", "rest"),
    [
        ("too_large", b'"title":"' + b"x" * 33_000 + b'"'),
        ("too_deep", b'"k":' + b"[" * 33 + b"]" * 33),
        ("duplicate_key", b'"title":"a","title":"b"'),
        ("duplicate_key", b'"properties":{"event_id":"n","event_id":"n"}'),
        ("invalid_utf8", b'"title":"\xff"'),
        ("invalid_text", b'"title":"\\ud800"'),
        ("invalid_field", b'"x":NaN'),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_an_unreadable_item_is_told_by_its_id(
    refuse: Refuse, name: str, code: str, rest: bytes
) -> None:
    own = b'"%s":"e-1"' % name.encode()
    nested = b'"properties":{"event_id":"nested"}'
    assert refuse(b"{" + b",".join((own, rest)) + b"}").event_id == "e-1"
    assert refuse(b"{" + b",".join((rest, own)) + b"}").event_id == "e-1"
    refused = refuse(b"{" + b",".join((rest, nested)) + b"}")
    assert (refused.code, refused.event_id) == (code, "") or b"properties" in rest


names = st.sampled_from([*NAMES, "id", "specversion", "title"])
values = st.recursive(
    st.text(max_size=5)
    | st.integers(0, 9)
    | st.none()
    | st.sampled_from(["null", '","event_id":"x']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(
    pairs=st.lists(st.tuples(names, values), max_size=6),
    ascii_only=st.booleans(),
    broken=st.binary(max_size=3),
)
@example(pairs=[("title", {"event_id": "n"})], ascii_only=True, broken=b"")
@example(pairs=[("event_id", "e"), ("event_id", "f")], ascii_only=True, broken=b"\xff")
@settings(max_examples=200)
def test_no_id_is_told_that_is_not_the_items_own(
    pairs: list[tuple[str, Any]], *, ascii_only: bool, broken: bytes
) -> None:
    """Whatever else is wrong, it is one of the object's own fields, by the last of equal names."""
    parts = [
        f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=ascii_only)}".encode()
        for name, value in pairs
    ]
    own = dict(pairs)
    ids = [own.get(name) for name in (*NAMES, *(["id"] if "specversion" in own else []))]
    sent = [value for value in ids if not (value is None or _is_none(value))]
    expected = sent[0] if sent and isinstance(sent[0], str) and sent[0].isprintable() else ""
    assert read_id(b"{" + b",".join([b'"\xff": "\xfe"', *parts]) + b"}") == expected
    cut = b"{" + b",".join([*parts, b'"t": "' + broken + b'"}'])
    assert read_id(cut) in (expected, "")
    assert read_id(cut[:-1]) == ""


def _is_none(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in NO_IDS
