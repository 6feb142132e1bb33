"""The id of an event that came without one, and who an event is of."""

from collections.abc import Callable

import pytest

from schemas.context import Context, Tally
from schemas.event import Event, address_of
from schemas.ids import event_id
from schemas.normalise import normalise, prepare
from schemas.refusal import Refusal, Warned

Accept = Callable[..., Event]
Make = Callable[..., Context]
TIMED = {"type": "click", "visitor_id": "v-1", "ts_ms": 1_795_255_100_000}
LINE = b'{"type":"click","visitor_id":"v-1","ts_ms":1795255100000}'


def ids(items: list[bytes], ctx: Context) -> list[str]:
    events = [normalise(item, ctx) for item in items]
    return [event.event_id for event in events if isinstance(event, Event)]


def test_a_clients_id_is_kept(accept: Accept) -> None:
    assert accept(TIMED | {"event_id": " e-1 "}).event_id == "e-1"


@pytest.mark.parametrize(
    "none", [None, "", "null", "undefined", "anonymous", "None", "[object Object]"]
)
def test_what_stands_for_no_id_is_none(accept: Accept, none: str | None) -> None:
    assert accept(TIMED | {"event_id": none}).event_id == accept(TIMED).event_id


def test_an_event_with_a_time_has_the_id_of_its_content(accept: Accept) -> None:
    content = '{"ts_ms":1795255100000,"type":"click","visitor_id":"v-1"}'
    assert accept(TIMED).event_id == event_id(content, 1)
    assert accept(TIMED | {"element": "a"}).event_id != event_id(content, 1)


def test_sending_time_and_address_are_no_content(accept: Accept) -> None:
    first = accept(TIMED, sent_ms=1_795_255_100_500)
    retry = accept(TIMED | {"sent_ms": 1_795_255_199_000, "ip": "10.1.2.3"})
    assert first.event_id == retry.event_id


def test_the_order_of_fields_is_no_content(accept: Accept) -> None:
    assert accept(dict(reversed(TIMED.items()))).event_id == accept(TIMED).event_id


def test_equal_events_of_a_request_are_numbered(make: Make) -> None:
    content = '{"ts_ms":1795255100000,"type":"click","visitor_id":"v-1"}'
    expected = [event_id(content, number) for number in (1, 2, 3)]
    assert ids([LINE] * 3, make()) == expected
    assert ids([LINE] * 3, make()) == expected


def test_equal_events_of_a_file_are_numbered_over_its_requests(make: Make) -> None:
    whole = ids([LINE] * 4, make())
    tally = Tally()
    halves = ids([LINE] * 2, make(tally=tally)) + ids([LINE] * 2, make(tally=tally))
    assert halves == whole


def test_neither_id_nor_time_is_a_random_id_and_a_warning(make: Make) -> None:
    ctx = make()
    assert ids([b'{"type":"click","visitor_id":"v-1"}'], ctx) == ["random-1"]
    assert ctx.tally.warnings == [
        Warned(
            "random-1",
            "not_idempotent",
            "neither event_id nor time (timestamp or ts_ms) was given: sent again, the event would "
            "count twice",
        )
    ]


def test_a_time_under_another_name_is_named_in_the_warning(make: Make) -> None:
    ctx = make()
    ids([b'{"type":"click","visitor_id":"v-1","time":"2020-01-01T00:00:00Z"}'], ctx)
    (warned,) = ctx.tally.warnings
    assert warned.message.endswith("; time: no time of an event, kept among its properties")


def test_a_refused_event_is_not_warned_of(make: Make) -> None:
    ctx = make()
    refused = normalise(b'{"type":"click","visitor_id":"v-1","value":"x"}', ctx)
    assert isinstance(refused, Refusal)
    assert refused.event_id == ""
    assert ctx.tally.warnings == []


def test_each_kind_of_id_names_somebody(accept: Accept) -> None:
    for field in ("visitor_id", "user_id", "cart_id", "order_id"):
        event = accept({"type": "purchase", "event_id": "e-1", field: " 4711 "})
        assert getattr(event, field) == "4711"


def test_a_guests_user_is_dropped_and_the_visitor_stays(accept: Accept) -> None:
    for none in ("null", "0", "guest", "(not set)", "00000000-0000-0000-0000-000000000000"):
        event = accept(TIMED | {"user_id": none})
        assert (event.visitor_id, event.user_id) == ("v-1", "")


def test_ids_of_every_script_survive(accept: Accept) -> None:
    for name in ("пользователь-7", "顧客１", "عميل", "משתמש", "e\u0301-é", "👩‍👩‍👧"):
        assert accept(TIMED | {"visitor_id": name}).visitor_id == name


@pytest.mark.parametrize(
    ("item", "address"),
    [
        (b'{"type":"click","event_id":"e","visitor_id":"v-1","user_id":"u-1"}', "v-1"),
        (b'{"type":"click","event_id":"e","user_id":"u-1","cart_id":"c-1"}', "user:u-1"),
        (b'{"type":"purchase","event_id":"e","user_id":"u-1","cart_id":"c-1"}', "cart:c-1"),
        (b'{"type":"purchase","event_id":"e","order_id":"o-1"}', "order:o-1"),
    ],
)
def test_a_prepared_line_has_the_address_of_its_event(
    make: Make, item: bytes, address: str
) -> None:
    ready, event = prepare(item, make()), normalise(item, make())
    assert not isinstance(ready, Refusal)
    assert isinstance(event, Event)
    assert ready.address == address_of(event) == address
