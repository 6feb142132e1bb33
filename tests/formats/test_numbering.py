"""Stable ids for events of a file that carry none."""

from services.formats.items import BadLine, Item
from services.formats.numbering import numbered


def ids(items: list[dict[str, object]]) -> list[object]:
    read = numbered(Item(line, item) for line, item in enumerate(items, 1))
    return [one.item["event_id"] for one in read if isinstance(one, Item)]


def test_the_same_file_gives_the_same_ids_and_repeats_within_it_differ() -> None:
    view: dict[str, object] = {"type": "click", "visitor_id": "v", "ts_ms": 1}
    first = ids([view, view, view | {"ts_ms": 2}])
    assert len(set(first)) == 3
    assert ids([view, view, view | {"ts_ms": 2}]) == first


def test_the_order_of_fields_and_the_time_of_sending_do_not_count() -> None:
    one = ids([{"type": "click", "visitor_id": "v", "sent_ms": 5}])
    assert ids([{"visitor_id": "v", "type": "click", "sent_ms": 6}]) == one


def test_an_id_of_its_own_is_kept_and_a_bad_line_passes_through() -> None:
    bad = BadLine(2, "", "broken", b"x")
    assert list(numbered([bad])) == [bad]
    assert ids([{"type": "click", "event_id": "mine"}]) == ["mine"]
