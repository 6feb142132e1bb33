"""Laws of normalisation, held against whatever Hypothesis can think of."""

import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import exact
from schemas.body import split
from schemas.context import Context, KeyKind, Salts, Tally, site
from schemas.event import Event, address_of
from schemas.masking import luhn, mask, mask_value
from schemas.normalise import Prepared, normalise, prepare
from schemas.reading import decode, form_of, is_whole, read_otherwise
from schemas.refusal import BodyRefusal, Code, Refusal
from schemas.steps import STEPS, Step
from schemas.wire import Wire

FIELDS = sorted(Wire.__annotations__)
SHOP = site("shop", currency="EUR", hosts=["shop.example"], exclude_users=["boss"])

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["null", "v-1", "35.79", "EUR", "page_view", "2026-11-21T10:00:00Z", "4111"])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["product_id", "price", "kind", "score", "analytics", "source", "k"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
near_events = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FIELDS, values),
        "type": st.sampled_from(["page_view", "purchase", "spin"]) | values,
        "visitor_id": st.just("v-1") | values,
        "unknown": values,
    },
)
good_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["page_view", "cart_add", "spin"]),
        "visitor_id": st.just("visitor-1"),
    },
    optional={
        "event_id": st.text("abcdef-\u00e9", min_size=1, max_size=24),
        "ts_ms": st.integers(1_795_255_000_000, 1_795_255_200_000),
        "url": st.text(max_size=30).map(lambda text: "https://shop.example/" + text),
        "title": st.text(max_size=10),
        "x": st.floats(0, 1),
        "value": st.integers(0, 10**6) | st.decimals("0", "9999", places=2).map(str),
        "products": st.lists(
            st.fixed_dictionaries(
                {"product_id": st.just("p")},
                optional={"price": st.just("1.5"), "brand": st.just("b")},
            ),
            max_size=3,
        ),
        "properties": st.dictionaries(st.text(max_size=4), values, max_size=3),
        "unknown": st.text(max_size=4) | st.none(),
    },
)


def context(**given_: Any) -> Context:
    settings: dict[str, Any] = {"site": SHOP, "salts": Salts(b"salt")}
    return Context(received_ms=1_795_255_200_000, new_id=lambda: "random", **(settings | given_))


@given(item=st.binary(max_size=80))
@settings(max_examples=50)
def test_no_bytes_raise(item: bytes) -> None:
    for ready in (normalise(item, context()), prepare(item, context())):
        assert isinstance(ready, Refusal)
    split(item)


@given(value=values | near_events, key=st.sampled_from(["server", "browser", "test"]))
@settings(max_examples=200)
def test_no_json_value_raises(value: Any, key: Any) -> None:
    item = json.dumps(value).encode()
    event, ready = normalise(item, context(key=key)), prepare(item, context(key=key))
    if isinstance(event, Refusal):
        assert event.code in get_args(Code)
        assert ready == event
        return
    assert isinstance(ready, Prepared)
    assert msgspec.json.decode(ready.line, type=Event) == event
    assert ready.address == address_of(event) != ""


@given(
    event=good_events,
    more=st.fixed_dictionaries(
        {"event_id": st.just("e-1"), "ts_ms": st.integers(1_795_255_100_000, 1_795_255_200_001)},
        optional={
            "referrer": st.sampled_from(["https://a.example/", "https://a.example/?q=a@b.example"]),
            "ua": st.sampled_from(["curl/8", "Googlebot/2.1", ""]),
            "name": st.sampled_from(["shoe", "shoe of a@b.example", "a\nb"]),
            "bot": st.booleans(),
            "path": st.just("/told"),
        },
    ),
    key=st.sampled_from(["server", "browser"]),
    sent=st.sampled_from([None, 1_795_255_199_000, 1_795_255_000_000]),
    compact=st.booleans(),
)
@settings(max_examples=200, deadline=None)  # the first user agent loads the tables of all
def test_the_short_way_makes_the_same_event(
    event: dict[str, Any], more: dict[str, Any], key: Any, sent: int | None, *, compact: bool
) -> None:
    item = json.dumps(event | more, separators=(",", ":") if compact else None).encode()
    at = context(site=site("shop", currency="EUR"), key=key, sent_ms=sent)
    by_steps = prepare(item, at)
    short = prepare(item, at)
    if isinstance(by_steps, Refusal):
        assert short == by_steps
        return
    assert isinstance(short, Prepared)
    assert b"\n" not in short.line
    assert short.address == by_steps.address
    events = [msgspec.json.decode(one.line, type=Event) for one in (by_steps, short)]
    assert events[0] == events[1]


PLAIN = {"type": "page_view", "event_id": "e1", "visitor_id": "v1", "ts_ms": 1_795_255_100_000}


@pytest.mark.parametrize(
    ("more", "short"),
    [
        ({"url": "https://shop.example/p/1", "referrer": "https://x.example/", "ua": "curl"}, True),
        ({"title": "Blue shoes", "x": 0.5}, True),
        ({"scroll_depth": 50}, False),
        ({"url": "https://shop.example/?to=ann@shop.example"}, False),
        ({"title": "Hello ann@shop.example"}, False),
        ({"type": "shoe_tied"}, False),
        ({"ts_ms": 1_795_255_300_000}, False),
        ({"products": [{"product_id": "p1", "price": "1.50"}]}, False),
        ({"consent": {"analytics": False}}, False),
        ({"theme": "dark"}, False),
        ({"title": None}, False),
    ],
)
def test_what_is_only_added_to_keeps_its_own_bytes(more: dict[str, Any], *, short: bool) -> None:
    item = json.dumps(PLAIN | more).encode()
    at = context(site=site("shop", currency="EUR"))
    ready = [prepare(item, at) for _ in range(2)][1]
    assert isinstance(ready, Prepared)
    assert ready.line.startswith(item[:-1]) is short


def test_the_short_way_refuses_who_is_named_like_a_cart() -> None:
    at = context(site=site("shop", currency="EUR"))
    warm, named = (json.dumps(PLAIN | {"visitor_id": name}).encode() for name in ("v1", "cart:c1"))
    prepare(warm, at)
    refused = prepare(named, at)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("invalid_field", "visitor_id")
    assert "got 'cart:c1'" in refused.message


@pytest.mark.parametrize("field", ["title", "element", "name"])
def test_what_a_page_shows_is_masked(field: str) -> None:
    text = "for ann@shop.example, 4111 1111 1111 1111"
    event = normalise(json.dumps(PLAIN | {field: text}).encode(), context())
    assert isinstance(event, Event)
    assert getattr(event, field) == "for (email), (card)"


def test_an_unknown_type_is_masked_as_a_name() -> None:
    event = normalise(json.dumps(PLAIN | {"type": "met ann@shop.example"}).encode(), context())
    assert isinstance(event, Event)
    assert (event.type, event.name) == ("custom", "met (email)")


@given(event=good_events, ascii_only=st.booleans(), spaced=st.booleans())
@settings(max_examples=100)
def test_the_ways_of_reading_agree(
    event: dict[str, Any], *, ascii_only: bool, spaced: bool
) -> None:
    separators = (", ", " : ") if spaced else (",", ":")
    try:
        item = json.dumps(event, ensure_ascii=ascii_only, separators=separators).encode()
    except UnicodeEncodeError:  # a lone surrogate cannot be sent as UTF-8
        return
    slow = exact.read(item)
    assert read_otherwise(item) == slow
    try:
        quick = decode(item)
    except msgspec.MsgspecError:
        return
    if is_whole(item, quick, form_of(tuple(quick))):
        assert quick == slow


@given(event=good_events, data=st.data())
@settings(max_examples=50)
def test_a_doubled_key_never_passes(event: dict[str, Any], data: st.DataObject) -> None:
    pairs = [json.dumps(key) + ":" + json.dumps(value) for key, value in event.items()]
    pairs.insert(data.draw(st.integers(0, len(pairs))), data.draw(st.sampled_from(pairs)))
    refused = normalise(("{" + ",".join(pairs) + "}").encode(), context())
    assert isinstance(refused, Refusal)
    assert refused.code in ("duplicate_key", "invalid_text", "invalid_field")


def card_numbers() -> st.SearchStrategy[str]:
    """Return numbers of 14 to 19 digits that pass Luhn and begin as cards do."""

    def complete(digits: str) -> str:
        return next(d for d in (digits + str(n) for n in range(10)) if luhn(list(map(int, d))))

    return st.from_regex(r"[2-6][0-9]{12,17}", fullmatch=True).map(complete)


def grouped(number: str, gap: str) -> str:
    return gap.join(number[at : at + 4] for at in range(0, len(number), 4))


@given(
    number=card_numbers(),
    gap=st.sampled_from(["", " ", "-", ".", "%20", "+"]),
    before=st.sampled_from(["", "n=", "paid ", "/u/", "card:", "12 "]),
    after=st.sampled_from(["", "&x=1", " ok", "/", "-20"]),
)
@settings(max_examples=50)
def test_no_card_number_gets_through(number: str, gap: str, before: str, after: str) -> None:
    text = before + grouped(number, gap) + after
    assert grouped(number, gap) not in mask(text)
    masked = mask_value({"k": [text], "n": int(number)})
    assert number not in json.dumps(masked).replace(gap or " ", "")
    url = "https://shop.example/p?n=" + grouped(number, gap).replace(" ", "%20")
    item = {"type": "page_view", "visitor_id": "v-1", "url": url, "properties": {"k": text}}
    ready = prepare(json.dumps(item).encode(), context())
    assert isinstance(ready, Prepared)
    assert number not in ready.line.decode().replace(gap or " ", "")


@given(
    local=st.from_regex(r"[a-z0-9._+-]{1,12}", fullmatch=True),
    at=st.sampled_from(["@", "%40"]),
    host=st.sampled_from(["example.com", "mail.example.co.uk", "münchen.de", "пример.рф"]),
)
@settings(max_examples=50)
def test_no_email_gets_through(local: str, at: str, host: str) -> None:
    url = f"https://shop.example/u?mail={local}{at}{host}&x=1"
    assert mask(url) == "https://shop.example/u?mail=(email)&x=1"


lines = st.lists(
    st.sampled_from(
        [
            b'{"type":"click","visitor_id":"v-1","ts_ms":1795255100000}',
            b'{"type":"click","visitor_id":"v-2","timestamp":1795255100}',
            b'{"type":"click","visitor_id":"v-1","ts_ms":1795255100000,"element":"a"}',
        ]
    ),
    min_size=1,
    max_size=12,
)


def ids_of(items: list[bytes], tally: Tally) -> list[str]:
    events = [normalise(item, context(tally=tally)) for item in items]
    return [event.event_id for event in events]


@given(items=lines, data=st.data())
@settings(max_examples=50)
def test_a_file_gives_the_same_ids_however_it_is_cut(
    items: list[bytes], data: st.DataObject
) -> None:
    whole = ids_of(items, Tally())
    assert len(set(whole)) == len(items)
    tally, cut = Tally(), data.draw(st.integers(0, len(items)))
    assert ids_of(items[:cut], tally) + ids_of(items[cut:], tally) == whole
    as_array, as_lines = split(b"[" + b",".join(items) + b"]"), split(b"\n".join(items))
    assert not isinstance(as_array, BodyRefusal)
    assert not isinstance(as_lines, BodyRefusal)
    assert ids_of(as_array, Tally()) == ids_of(as_lines, Tally()) == whole


@given(events=st.lists(good_events, max_size=5), broken=st.sampled_from([b"{", b"7", b'{"a":NaN}']))
@settings(max_examples=50)
def test_one_broken_line_costs_no_other(events: list[dict[str, Any]], broken: bytes) -> None:
    items = [json.dumps(event).encode() for event in events]
    found = split(b"\n".join([b'{"type":"click"}', *items, broken]))
    assert found == [b'{"type":"click"}', *items, broken]


def test_each_step_has_a_name_of_its_own() -> None:
    assert len({step.name for step in STEPS}) == len(STEPS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_step_is_needed_by_some_item(step: Step) -> None:
    forms = [frozenset[str](), *(frozenset({name}) for name in FIELDS)]
    keys: tuple[KeyKind, ...] = ("server", "browser", "test")
    assert any(step.is_needed(fields, SHOP, key) for key in keys for fields in forms)
