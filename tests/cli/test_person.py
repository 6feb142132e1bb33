"""Who is erased, told from a line of the log and from a state."""

from typing import Any

import msgspec

from schemas.event import Event
from services.sessionizer.core.codec import Codec, Head, State
from services.sessionizer.core.links import Alias, Kept
from services.sessionizer.core.state import Visitor
from services.standalone.person import Person, without

VISITOR = Person("shop", frozenset({"v1"}))
USER = Person("shop", frozenset({"v1", "user:4"}), "4")


def line(**fields: Any) -> bytes:
    return msgspec.json.encode(
        msgspec.convert({"source": "shop", "type": "page_view"} | fields, Event)
    )


def state(**fields: Any) -> bytes:
    return Codec().encode(State(**fields), Head(1, 2, 3))


def decoded(value: bytes | None) -> State:
    assert value is not None
    return Codec().decode(value)


def test_lines_of_a_visitor_are_its_own_its_links_and_copies_on_their_way_to_it() -> None:
    assert VISITOR.owns(line(visitor_id="v1"))
    assert VISITOR.owns(line(type="__link", visitor_id="v1", to="cart:c"))
    assert VISITOR.owns(line(type="purchase", order_id="o", to="v1"))
    assert not VISITOR.owns(line(visitor_id="v11"))
    assert not VISITOR.owns(line(visitor_id="v2", properties={"friend": "v1"}))
    assert not VISITOR.owns(line(visitor_id="v1", source="other"))
    assert not VISITOR.owns(b'{"type":"__tick"}')


def test_lines_of_a_user_name_it_whoever_sent_them() -> None:
    assert USER.owns(line(visitor_id="v9", user_id="4"))
    assert USER.owns(line(user_id="4", type="purchase", order_id="o"))
    assert not USER.owns(line(visitor_id="v9", user_id="44"))


def test_a_line_nobody_can_read_is_told_by_its_words() -> None:
    assert VISITOR.owns(b'{"visitor_id":"v1",')
    assert not VISITOR.owns(b'{"visitor_id":"v11",')


def test_every_line_that_names_somebody_has_a_needle() -> None:
    odd = Person("shop", frozenset({'é"\\\n'}))
    assert any(needle in line(visitor_id='é"\\\n') for needle in odd.needles())
    assert not any(needle in line(visitor_id="v14", value=4) for needle in USER.needles())


def test_a_state_of_the_person_goes_whole() -> None:
    own = state(visitor=Visitor("shop", "v1"))
    assert without(VISITOR, b"shop\x1fv1", own) is None
    assert without(USER, b"shop\x1fuser:4", own) is None
    known = state(visitor=Visitor("shop", "v7", user_id="4"))
    assert without(USER, b"shop\x1fv7", known) is None
    assert without(VISITOR, b"shop\x1fv7", known) is known
    assert without(VISITOR, b"other\x1fv1", own) is own


def test_an_alias_forgets_the_person_and_keeps_the_others() -> None:
    mine = Kept(1, "e1", "v1", line(visitor_id="v1", type="purchase", order_id="o1"))
    other = Kept(1, "e2", "v2", line(visitor_id="v2", type="purchase", order_id="o2"))
    alias = Alias(base=3, linked={"v1": 1, "v2": 5}, orders=[mine, other])
    left = decoded(without(VISITOR, b"shop\x1fcart:c", state(alias=alias)))
    assert left.alias == Alias(base=3, linked={"v2": 5}, orders=[other])


def test_an_alias_that_nobody_else_is_linked_to_goes() -> None:
    alone = state(alias=Alias(base=3, linked={"v1": 1}))
    assert without(VISITOR, b"shop\x1fcart:c", alone) is None
    folder = state(alias=Alias(base=3, linked={"v1": 1}), visitor=Visitor("shop", "cart:c"))
    left = decoded(without(VISITOR, b"shop\x1fcart:c", folder))
    assert left.alias is None
    assert left.visitor is not None
