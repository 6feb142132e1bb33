"""Which visitors are folded together."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.event import Event
from services.common.clickhouse import ClickHouse, open_storage
from services.common.ports import LogRecord
from services.history.groups import components, linked, portions_of, small_portions
from services.loader.migrate import migrate
from tests.support.rows import rows_of_record


def test_sets_that_overlap_through_a_third_become_one() -> None:
    assert components([["a", "b"], ["c", "d"], ["b", "c"], ["x", "y"]]) == [
        {"a", "b", "c", "d"},
        {"x", "y"},
    ]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1), max_size=12))
def test_components_cover_everything_once_and_never_cut_a_set(sets: list[list[str]]) -> None:
    groups = components(sets)
    assert sum(len(group) for group in groups) == len({name for one in sets for name in one})
    assert all(any(set(one) <= group for group in groups) for one in sets)


NAMED: dict[str, dict[str, Any]] = {
    "a": {"user_id": "1"},
    "b": {"user_id": "1", "cart_id": "x"},
    "c": {"cart_id": "x"},
    "d": {"order_id": "o"},
    "e": {"user_id": "2"},
    "": {"order_id": "o"},
}
"""What the events of each visitor name; the last's is a webhook's."""


@pytest.fixture(scope="module")
def storage(chdb_dsn: str) -> Iterator[ClickHouse]:
    opened = open_storage(chdb_dsn, "groups")
    migrate(opened)
    opened.insert("events", list(_rows()), "")
    yield opened
    opened.close()


def _rows() -> Iterator[bytes]:
    events = [
        Event(
            type="purchase" if "order_id" in named else "page_view",
            event_id=f"{visitor}-{number}",
            source="shop",
            visitor_id=visitor,
            ts_ms=1_790_000_000_000 + number,
            received_ms=1_790_000_000_000 + number,
            **named,
        )
        for visitor, named in NAMED.items()
        for number in range(3)
    ]
    body = b"\n".join(map(msgspec.json.encode, events))
    yield from rows_of_record(LogRecord(1, 1_790_000_000_000, body))


def test_a_few_find_the_same_companions_hop_by_hop_as_all_do_at_once(storage: ClickHouse) -> None:
    groups = linked(storage, "shop")
    assert sorted(map(sorted, groups)) == [["a", "b", "c"], ["d", "order:o"]]
    for group in [*groups, {"e"}]:
        for one in group:
            (portion,) = portions_of(storage, "shop", [one])
            assert set(portion.addresses) == group


def test_small_portions_hold_no_more_events_than_asked_but_for_one_group(
    storage: ClickHouse,
) -> None:
    everybody = ["a", "b", "c", "d", "e", "order:o"]
    for most in (1, 3, 6, 9, 12, 100):
        portions = list(small_portions(storage, "shop", everybody, most))
        assert sorted(one for portion in portions for one in portion.addresses) == everybody
        assert [portion.events for portion in portions] == [
            3 * len(portion.addresses) for portion in portions
        ]
        for portion in portions:
            assert portion.events <= most or set(portion.addresses) in (
                {"a", "b", "c"},
                {"d", "order:o"},
                {"e"},
            )
