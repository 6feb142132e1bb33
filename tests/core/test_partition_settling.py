"""When events settle, in which order they are folded, and what counts as a repeat or as late."""

import pytest

from tests.core.streams import HOUR, MINUTE, SECOND, T0, Stream, event


def test_nothing_is_folded_before_the_grace_is_over() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.tick(29_999)
    assert stream.states.kept == {}
    stream.tick(30_000)
    assert list(stream.states.kept) == [b"shop\x1fv"]


def test_a_waiting_event_that_sorts_before_a_settling_one_is_folded_with_it() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000, path="/b"))
    stream.send(35_000, event("page_view", 9_000, path="/a"))
    stream.tick(40_000)
    stream.quiet(41_000, 40 * MINUTE)
    assert stream.flags() == []
    assert [page["path"] for page in stream.sessions()[0]["pages"]] == ["/a", "/b"]
    assert len(stream.sessions()) == 1


def test_what_sorts_after_the_settling_event_goes_on_waiting() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000, path="/a"))
    stream.send(20_000, event("page_view", 20_000, path="/c"))
    stream.tick(40_000)
    stream.send(45_000, event("page_view", 15_000, path="/b"))
    stream.quiet(46_000, 40 * MINUTE)
    assert stream.flags() == []
    assert [page["path"] for page in stream.sessions()[0]["pages"]] == ["/a", "/b", "/c"]


def test_equal_times_fold_by_rank_then_by_event_id() -> None:
    stream = Stream()
    stream.send(
        SECOND,
        event("purchase", 0, "1", order_id="o", value=500),
        event("cart_add", 0, "2"),
        event("page_view", 0, "9", path="/second"),
        event("page_view", 0, "3", path="/first"),
    )
    stream.quiet(SECOND, HOUR)
    assert [page["path"] for page in stream.sessions()[0]["pages"]] == ["/first", "/second"]
    assert [cart["outcome"] for cart in stream.carts()] == ["converted"]


def test_a_repeat_among_the_waiting_is_dropped() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "a"), event("page_view", 0, "a"))
    stream.send(SECOND, event("page_view", 0, "a"))
    stream.quiet(SECOND, HOUR)
    assert stream.sessions()[0]["page_views"] == 1
    assert stream.flags() == []


def test_a_repeat_of_a_folded_event_is_dropped_while_among_the_newest_512() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "first"))
    stream.send(1, *(event("scroll", 1, f"s{number:03}") for number in range(511)))
    stream.tick(31_000)
    stream.send(32_000, event("page_view", 0, "first"))
    assert stream.flags() == []


def test_a_repeat_older_than_the_newest_512_is_late() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "first"))
    stream.send(1, *(event("scroll", 1, f"s{number:03}") for number in range(512)))
    stream.tick(31_000)
    stream.send(32_000, event("page_view", 0, "first"))
    assert stream.flags() == [("first", "late")]


def test_the_same_id_of_another_visitor_is_no_repeat() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "a"), event("page_view", 0, "a", visitor="w"))
    stream.quiet(SECOND, HOUR)
    assert len(stream.sessions("v")) == len(stream.sessions("w")) == 1


def test_an_event_before_the_frontier_is_late_and_not_folded() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000, path="/b"))
    stream.tick(40_000)
    stream.send(41_000, event("page_view", 9_999, "straggler", path="/a"))
    stream.quiet(41_000, HOUR)
    assert stream.flags() == [("straggler", "late")]
    assert [page["path"] for page in stream.sessions()[0]["pages"]] == ["/b"]


def test_an_event_at_the_frontier_time_that_sorts_after_it_is_in_time() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000, "a"))
    stream.tick(40_000)
    stream.send(41_000, event("page_view", 10_000, "b"))
    stream.quiet(41_000, HOUR)
    assert stream.flags() == []
    assert stream.sessions()[0]["page_views"] == 2


def test_a_late_event_repeated_is_flagged_once() -> None:
    stream = Stream()
    stream.send(10_000, event("page_view", 10_000))
    stream.tick(40_000)
    stream.send(41_000, event("click", 5_000, "x"))
    version = next(iter(stream.rows["event_flags"].values()))["version"]
    stream.send(42_000, event("click", 5_000, "x"))
    assert [row["version"] for row in stream.rows["event_flags"].values()] == [version]


def test_a_fired_deadline_is_a_frontier_too() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.quiet(SECOND, 30 * MINUTE + 30_001)
    assert stream.sessions()[0]["open"] is False
    stream.send(31 * MINUTE, event("page_view", 30 * MINUTE, "at the deadline"))
    assert stream.flags() == [("at the deadline", "late")]


def test_a_late_order_acts_on_the_cart_at_once() -> None:
    stream = Stream()
    stream.send(0, event("cart_add", 0))
    stream.quiet(SECOND, 31 * MINUTE)
    assert stream.signals() == [("cart_abandoned", 30 * MINUTE)]
    stream.send(32 * MINUTE, event("purchase", 29 * MINUTE, "paid", order_id="o", value=700))
    assert stream.flags() == [("paid", "late_order")]
    assert [cart["outcome"] for cart in stream.carts()] == ["converted"]
    assert ("cart_abandoned", 30 * MINUTE) not in stream.signals()


def test_a_line_that_is_no_event_is_poison_and_its_record_goes_on() -> None:
    stream = Stream()
    body = (
        b'{"type":"page_view","event_id":"a","source":"shop","visitor_id":"v","ts_ms":%d}\n'
        b"not json\n"
        b'{"type":"unheard_of"}\n'
        b'{"type":"click","event_id":"","source":"shop","visitor_id":"v","ts_ms":1}\n'
        b'{"type":"click","event_id":"\xff","source":"shop","visitor_id":"v","ts_ms":1}\n' % T0
    )
    poisons = stream.send_bytes(SECOND, body)
    assert sorted(poison.line for poison in poisons) == [1, 2, 3, 4]
    stream.quiet(SECOND, HOUR)
    assert stream.sessions()[0]["page_views"] == 1


def test_a_record_applied_before_changes_nothing() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0))
    stream.partition.apply(stream.log[0])
    stream.quiet(SECOND, HOUR)
    assert stream.sessions()[0]["events"] == 1


def test_a_time_after_the_append_time_becomes_the_append_time() -> None:
    stream = Stream()
    stream.send(5_000, event("page_view", 9_000))
    stream.quiet(6_000, HOUR)
    assert stream.sessions()[0]["started_ms"] == T0 + 5_000


@pytest.mark.parametrize("name", ["cart:c", "user:u", "order:o"])
def test_a_visitor_that_calls_itself_like_an_alias_is_refused(name: str) -> None:
    stream = Stream()
    (poison,) = stream.send(
        0, event("page_view", 0), event("page_view", 1, visitor=name, cart_id="c")
    )
    assert (poison.line, name in poison.reason) == (1, True)
    assert stream.partition.visitor("shop", name) is None
    assert stream.forwards == []


def test_an_event_that_names_only_a_user_is_still_of_that_user() -> None:
    stream = Stream()
    assert stream.send(0, event("page_view", 0, visitor="", user_id="u")) == []
    assert stream.partition.visitor("shop", "user:u") is not None


def test_the_tally_says_what_became_of_events() -> None:
    stream = Stream()
    stream.send(0, event("page_view", 0, "a"), event("page_view", 0, "a"), event("click", 1))
    stream.quiet(SECOND, MINUTE)
    stream.send_bytes(MINUTE + 1, b"{}")
    stream.send(MINUTE + 2, event("click", 0, "before"), event("click", 1))
    stream.send(MINUTE + 3, event("click", MINUTE))
    tally = stream.partition.tally
    assert (tally.folded, tally.repeated, tally.late, tally.poison) == (2, 2, 1, 1)
