"""States at rest: bytes of this version, of recorded ones, and of ones not known."""

from pathlib import Path

import msgspec
import pytest

from schemas.event import Product
from services.common.errors import FatalError
from services.sessionizer.core import codec
from services.sessionizer.core.codec import Codec, Head, State, head_of
from services.sessionizer.core.state import packed, unpacked
from tests.core.streams import HOUR, MINUTE, SECOND, Stream, event

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = FIXTURES / "state-v3.bin"
ALL_RECORDED = sorted(FIXTURES.glob("state-v*.bin"))


def decoded(data: bytes) -> State:
    return Codec().decode(data, "shop", "v")


def recorded_stream() -> Stream:
    """Return a stream whose one visitor has a session, a cart, friction, links and orders."""
    stream = Stream()
    stream.send(0, event("page_view", 0, path="/", channel="email", device="mobile"))
    stream.send(
        10_000,
        event("cart_add", 9_000, cart_id="c", user_id="u", products=None),
        event("click", 9_100, element="#buy", x=0.5, y=0.5, viewport="400x800"),
        event("error", 9_200),
    )
    stream.send(20_000, event("purchase", 19_000, order_id="o", value=100))
    stream.send(30_000, event("cart_add", 29_000, cart_id="d"))
    stream.quiet(31_000, MINUTE)
    return stream


def test_bytes_of_every_version_are_recorded() -> None:
    assert [path.read_bytes()[0] for path in ALL_RECORDED] == list(range(1, codec.VERSION + 1))


@pytest.mark.parametrize("path", ALL_RECORDED, ids=lambda path: path.stem)
def test_recorded_bytes_still_mean_the_same(path: Path) -> None:
    now = recorded_stream().states.kept[b"shop\x1fv"]
    assert decoded(path.read_bytes()) == decoded(now)


@pytest.mark.parametrize("path", ALL_RECORDED, ids=lambda path: path.stem)
def test_a_stream_goes_on_from_recorded_bytes(path: Path) -> None:
    stream = recorded_stream()
    stream.states.kept[b"shop\x1fv"] = path.read_bytes()
    stream.crash()
    stream.quiet(MINUTE, HOUR)
    assert [cart["outcome"] for cart in stream.carts()] == ["converted", "abandoned"]


def test_encoding_and_decoding_changes_nothing() -> None:
    for data in recorded_stream().states.kept.values():
        state = decoded(data)
        assert Codec().encode(state, head_of(data)) == data


def test_a_copy_shares_nothing_that_changes() -> None:
    state = decoded(RECORDED.read_bytes())
    copy = Codec().copy(state)
    assert copy == state
    assert copy.visitor is not state.visitor
    assert state.visitor is not None
    assert copy.visitor is not None
    copy.visitor.orders.append(1)
    assert copy != state


def test_a_state_at_rest_does_not_repeat_what_its_key_says() -> None:
    data = recorded_stream().states.kept[b"shop\x1fv"]
    assert b"shop" not in data
    visitor = Codec().decode(data, "elsewhere", "w").visitor
    assert visitor is not None
    assert (visitor.source, visitor.visitor_id) == ("elsewhere", "w")


def test_a_text_without_a_number_rests_as_it_is() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, path="/", channel="Chrome", device="fridge", country="DE"))
    stream.quiet(SECOND, MINUTE)
    visitor = decoded(stream.states.kept[b"shop\x1fv"]).visitor
    assert visitor is not None
    assert visitor.session is not None
    dims = visitor.session.dims
    assert (dims.channel, dims.device, dims.browser, dims.country) == ("Chrome", "fridge", "", "DE")


def test_the_head_tells_without_decoding() -> None:
    data = Codec().encode(State(), Head(1_760_000_000, 1_759_999_990, 11))
    assert head_of(data) == (1_760_000_000, 1_759_999_990, 11)


def test_bytes_of_an_unknown_version_are_refused_by_name() -> None:
    data = b"\x63" + Codec().encode(State(), Head(0, 0, 0))[1:]
    with pytest.raises(FatalError, match="state has version 99, this is version 3"):
        head_of(data)
    with pytest.raises(FatalError, match="state has version 99, this is version 3"):
        decoded(data)


def test_older_bytes_are_brought_up_version_by_version() -> None:
    def from_0(body: bytes) -> bytes:
        """Version 0 kept no hold: put one in where it belongs now."""
        fields = msgspec.msgpack.decode(body)
        return msgspec.msgpack.encode([*fields[:6], 0, *fields[6:]])

    data = (
        b"\x00" + bytes(9) + msgspec.msgpack.encode([None, 5, 0, "e", b"12345678", b"", 7, 0, None])
    )
    state = Codec({**codec.UPGRADES, 0: from_0}).decode(data, "shop", "v")
    assert state == State(frontier=(5, 0, "e"), hashes=b"12345678", seen_ms=7)


@pytest.mark.parametrize(
    ("event_id", "size"),
    [
        ("0123456789abcdef0123456789abcdef", 17),
        ("01234567-89ab-cdef-0123-456789abcdef", 17),
        ("0123456789ABCDEF0123456789ABCDEF", 33),
        ("01234567-89ab-cdef-0123-456789abcdeg", 37),
        ("01234567-89abcdef-0123-4567-89abcdef", 37),
        ("01 23456789abcdef 23456789abcdef", 33),
        ("", 1),
        ("é", 3),
    ],
)
def test_an_id_is_packed_only_where_it_comes_out_the_same(event_id: str, size: int) -> None:
    assert unpacked(packed(event_id)) == event_id
    assert len(packed(event_id)) == size


def test_a_visitor_of_ten_thousand_events_stays_under_32_kib() -> None:
    stream = Stream()
    at = 0
    for number in range(10_000):
        at += 900
        path = f"/{'long-path/' * 20}{number}"
        stream.send(
            at,
            event("page_view", at, path=path, referrer=path, user_id=f"u{number}"),
            event("click", at, element=path, x=0.1, y=0.1, viewport="1x1", cart_id=f"c{number}"),
            commit=number % 500 == 0,
        )
    stream.quiet(at + SECOND, at + MINUTE)
    assert len(stream.states.kept[b"shop\x1fv"]) <= 32 * 1024


def test_what_waits_beside_a_state_is_nothing_to_who_asks_for_the_state_alone() -> None:
    data = RECORDED.read_bytes()
    codec, waiting = Codec(), [event("cart_add", HOUR, products=[Product(product_id="p")])]
    both = codec.encode_unsettled(decoded(data), waiting)
    assert codec.decode_unsettled(both, "shop", "v") == (decoded(data), waiting)
    assert decoded(both) == decoded(data)


@pytest.mark.parametrize("path", ALL_RECORDED, ids=lambda path: path.stem)
def test_beside_a_state_at_rest_nothing_waits(path: Path) -> None:
    data = path.read_bytes()
    assert Codec().decode_unsettled(data, "shop", "v") == (decoded(data), [])
